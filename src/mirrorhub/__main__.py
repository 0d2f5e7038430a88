"""`python -m mirrorhub`, and the command of that name: the command line, whose imports take a moment, too."""

import sys


def main() -> int:
    """Run the command line; return the exit code."""
    try:
        # In here, so that Ctrl-C while they are going on is no traceback.
        from mirrorhub.cli import main as run

        return run()
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
