"""The options that say where something comes from, shared by the commands that fetch; and how it came, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from mirrorhub.faults import Fault
from mirrorhub.models import Attempt, Snapshot, TransferReport

F = TypeVar("F", bound=Callable[..., Any])


class _Folder(click.Path):
    """A directory; an empty one is a shell variable that is not set, and not the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; is a shell variable not set?", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = _Folder(file_okay=False)


def source_options(command: F) -> F:
    """Add the options that say where a repository comes from."""
    options = [
        click.option("--revision", help="Branch, tag or commit; `pinned` for the built-in digests."),
        click.option("--hub", type=click.Choice(["auto", "modelscope", "huggingface"]), default="auto"),
        click.option("--endpoint", "endpoints", multiple=True, help="An endpoint of the chain, in order; repeatable."),
        click.option("--cache-dir", type=FOLDER, help="The cache directory."),
        click.option("--offline", "local_files_only", is_flag=True, default=None, help="Use no network."),
        click.option("--lockfile", help="What pins the repositories: a path, or `off`; without it the project's own."),
        click.option("--trust", type=click.Choice(["lock", "official", "auto", "any"]), help="Who is believed."),
        click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Total seconds allowed."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was not given, so that the environment and the config file have their say."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def story(snapshot: Snapshot) -> list[str]:
    """Tell in lines which endpoints were tried, what each one gave, and why it was left."""
    tried = _by_endpoint(snapshot.attempts)
    given = _given(snapshot.reports)
    lines = [_line(name, tried.get(name, []), given.get(name, [])) for name in tried | given]
    return lines or ["everything was on disk"]


def _by_endpoint(attempts: Iterable[Attempt]) -> dict[str, list[Attempt]]:
    grouped: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        grouped.setdefault(attempt.endpoint, []).append(attempt)
    return grouped


def _given(reports: Iterable[TransferReport]) -> dict[str, list[str]]:
    """Return, for each endpoint, the files that hold bytes of it."""
    given: dict[str, list[str]] = {}
    for report in reports:
        for endpoint in dict.fromkeys(share.endpoint for share in report.shares):
            given.setdefault(endpoint, []).append(report.path)
    return given


def _line(endpoint: str, attempts: list[Attempt], files: list[str]) -> str:
    listed = any(attempt.fault is None and attempt.subject == "listing" for attempt in attempts)
    gave = f"served {_files(len(files))}" if files else "served the listing only" if listed else ""
    reasons = [f"left: {reason}" for reason in _reasons(attempts)]
    return f"{endpoint}: {'; '.join([gave] * bool(gave) + reasons) or 'gave nothing that was kept'}"


def _reasons(attempts: Iterable[Attempt]) -> list[str]:
    """Say why an endpoint was left, once for each kind of fault: digests of many files are a wall."""
    told: dict[str, dict[str, None]] = {}
    wrong = {attempt.subject for attempt in attempts if attempt.fault == Fault.WRONG_DIGEST.name}
    for attempt in attempts:
        if attempt.fault is not None:
            is_wrong = attempt.fault == Fault.WRONG_DIGEST.name
            outcome = f"gave wrong bytes in {_files(len(wrong))}" if is_wrong else attempt.outcome
            told.setdefault(attempt.fault, {})[outcome] = None
    return [f"{next(iter(ones))}{_more(len(ones) - 1)}" for ones in told.values()]


def _more(count: int) -> str:
    return f" (and {count} more like it)" if count else ""


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
