"""`mirrorhub run`: start a program whose downloads, and those of every Python it starts, go along the chain.

Python itself runs the program, in place of this process: arguments, `__main__`, `sys.path`, exit code, traceback and
signals are its own (docs/decisions/0010-install.md).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

import mirrorhub

STARTUP = Path(mirrorhub.__file__).parent / "startup"
"""The directory that stands first on the program's PYTHONPATH."""
_SCRIPTS = (".py", ".pyw", ".pyc", ".pyz", ".zip")


class _BeforeAProgram(click.Command):
    """A command whose options end where a program begins, be it as `-m module` or `-c code`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Mark where the program begins: from there on nothing is ours."""
        place = self._begin(ctx, args)
        if "".join(args[place : place + 1]).startswith(("-m", "-c")):
            args = [*args[:place], "--", *args[place:]]
        return super().parse_args(ctx, args)

    def _begin(self, ctx: click.Context, args: list[str]) -> int:
        takes = {name: not getattr(option, "is_flag", False) for option in self.get_params(ctx) for name in option.opts}
        place = 0
        while place < len(args):
            name, joined, _ = args[place].partition("=")
            if name not in takes:
                break
            place += 2 if takes[name] and not joined else 1
        return place


@click.command(
    cls=_BeforeAProgram,
    context_settings={"allow_interspersed_args": False},
    short_help="Run a program whose downloads go along the chain.",
)
@click.option("--endpoints", metavar="LIST", help="The chain: 'https://one https://two default'.")
@click.option("--endpoint", "more", multiple=True, metavar="URL", help="An endpoint of the chain; repeatable.")
@click.option("--offline", is_flag=True, help="Use no network.")
@click.option("--lockfile", help="What pins the repositories: a path, or `off`; without it the project's own.")
@click.option("--trust", type=click.Choice(["lock", "official", "auto", "any"]), help="Who is believed.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Total seconds allowed for a call.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED, required=True)
def run(program: tuple[str, ...], endpoints: str | None, more: tuple[str, ...], offline: bool, **options: Any) -> int:
    """Run PROGRAM as Python would, with the downloads of modelscope and huggingface_hub led along the chain.

    PROGRAM is a script and its arguments, `-m module`, `-c code`, or a command that is written in Python. Options of
    this command come before it.
    """
    variables = {f"MIRRORHUB_{name.upper()}": str(value) for name, value in options.items() if value is not None}
    if chain := " ".join(filter(None, [endpoints, *more])):
        variables["MIRRORHUB_ENDPOINTS"] = chain
    if offline:
        # The SDK's questions end here, too, and so do those of whoever asks it whether it is offline.
        variables |= {"MIRRORHUB_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    return _become(_command(program), {**_environment(os.environ), **variables})


def _command(program: Sequence[str]) -> list[str]:
    """Return what to start: Python with a script, a module or code, or a command of its own.

    Raises:
        UsageError: There is no such program.
    """
    name = program[0]
    if name == "-" or name.startswith(("-m", "-c")) or name.endswith(_SCRIPTS) or Path(name, "__main__.py").is_file():
        # What stands behind `--` is a file, whatever it begins with; Python would read an option.
        is_dashed = name.startswith("-") and name.endswith(_SCRIPTS) and Path(name).is_file()
        return [sys.executable, os.path.join(os.curdir, name) if is_dashed else name, *program[1:]]  # noqa: PTH118
    # The commands of this environment first: it need not be active.
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    if found := shutil.which(name, path=beside):
        return [found, *program[1:]]
    if Path(name).is_file():
        return [sys.executable, *program]
    raise click.UsageError(f"{name} is neither a file nor a command")


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program that is led, and of whatever it starts."""
    before = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(STARTUP)]
    path = os.pathsep.join([str(STARTUP), *before])
    # By its number the program is known among its children.
    return {**environ, "PYTHONPATH": path, "MIRRORHUB_RUN": str(os.getpid())}


def _become(command: list[str], environment: dict[str, str]) -> int:
    """Let the program take the place of this process; return its exit code where that cannot be done."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        return _started(command, environment)
    except OSError as error:
        raise click.UsageError(f"{command[0]}: cannot be started: {error.strerror}") from None


if sys.platform == "win32":

    def _started(command: list[str], environment: dict[str, str]) -> int:
        """Wait for the program, which has Ctrl-C for itself: nothing takes another's place here."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.call(command, env=environment)

else:

    def _started(command: list[str], environment: dict[str, str]) -> NoReturn:
        # Python ignores these, and what is ignored stays so in a program that takes its place.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execve(command[0], command, environment)
