"""The command line. The only place that prints, and the only one that turns errors into exit codes.

| code | meaning |
|---|---|
| 0 | done |
| 1 | could not be fetched, or not be read |
| 2 | wrong usage or configuration |
| 3 | access denied |
| 4 | not cached, and offline |
| 5 | done in part |
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from mirrorhub import __version__
from mirrorhub.cli.bench import bench
from mirrorhub.cli.bundle import bundle
from mirrorhub.cli.cache import cache
from mirrorhub.cli.config import config
from mirrorhub.cli.download import download
from mirrorhub.cli.endpoints import endpoints
from mirrorhub.cli.lock import lock
from mirrorhub.cli.run import run
from mirrorhub.cli.vad import vad
from mirrorhub.cli.warmup import warmup
from mirrorhub.cli.why import why
from mirrorhub.errors import (
    AccessDeniedError,
    ChainError,
    ConfigError,
    LockTimeoutError,
    MirrorHubError,
    NotCachedError,
    PinnedError,
    StoreError,
)

_CODES: dict[type[MirrorHubError], int] = {ConfigError: 2, AccessDeniedError: 3, NotCachedError: 4}
PIPE_CLOSED = 128 + 13
_TOLD_OF = ChainError | StoreError | LockTimeoutError
"""Errors of calls that leave a report."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mirrorhub")
@click.option("-v", "--verbose", count=True, help="Say what is tried and why it is left; twice for every request.")
@click.option("--token", hidden=True)
@click.option("--endpoint", hidden=True)
@click.pass_context
def cli(context: click.Context, verbose: int, token: str | None, endpoint: str | None) -> None:
    """Bring models to disk through whatever endpoint works, and find speech with FSMN-VAD."""
    # modelscope's command line takes these two before the command, too.
    context.default_map = {"download": {"token": token, "endpoints": (endpoint,) if endpoint else ()}}
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mirrorhub").setLevel(level)


for command in (download, run, why, vad, warmup, endpoints, bench, cache, lock, bundle, config):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or a pipe in another encoding (GBK, say) shows what it cannot write as a question mark.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = cli.main(args=arguments, prog_name="mirrorhub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What has come stays on disk; the next call goes on there.", err=True)
        return 130
    except (BrokenPipeError, SystemExit):
        return _nobody_reads()
    except MirrorHubError as error:
        click.echo(f"mirrorhub: {error}", err=True)
        if isinstance(error, _TOLD_OF) and not (isinstance(error, PinnedError) and not error.attempts):
            click.echo("`mirrorhub why` tells more.", err=True)
        return next((code for kind, code in _CODES.items() if isinstance(error, kind)), 1)
    except TypeError as error:
        # An option of the detector that does not exist: the message lists the known ones.
        click.echo(f"mirrorhub: {error}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _nobody_reads() -> int:
    """Whoever read the output has gone, `head` for one: end as programs do that the pipe's signal ends.

    rich says so with SystemExit, and nothing else here raises one.
    """
    with suppress(OSError, ValueError):
        # What is still waiting to be written would fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


if __name__ == "__main__":
    sys.exit(main())
