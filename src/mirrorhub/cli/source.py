"""The options that say where something comes from, shared by the commands that fetch; and how it came, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mirrorhub.models import Attempt, Snapshot

F = TypeVar("F", bound=Callable[..., Any])


def source_options(command: F) -> F:
    """Add the options that say where a repository comes from."""
    options = [
        click.option("--revision", help="Branch, tag or commit; `pinned` for the built-in digests."),
        click.option("--hub", type=click.Choice(["auto", "modelscope", "huggingface"]), default="auto"),
        click.option("--endpoint", "endpoints", multiple=True, help="An endpoint of the chain, in order; repeatable."),
        click.option("--cache-dir", type=click.Path(file_okay=False), help="The cache directory."),
        click.option("--offline", "local_files_only", is_flag=True, default=None, help="Use no network."),
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
    """Tell in lines which endpoints were tried, why they were left, and which one served."""
    lines = [_line(endpoint, attempts) for endpoint, attempts in _by_endpoint(snapshot.attempts).items()]
    return lines or ["everything was on disk"]


def _by_endpoint(attempts: tuple[Attempt, ...]) -> dict[str, list[Attempt]]:
    grouped: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        grouped.setdefault(attempt.endpoint, []).append(attempt)
    return grouped


def _line(endpoint: str, attempts: list[Attempt]) -> str:
    served = [attempt for attempt in attempts if attempt.fault is None]
    left = {attempt.outcome: None for attempt in attempts if attempt.fault is not None}
    parts = [f"served {len(served)} request{'s' if len(served) > 1 else ''}"] if served else []
    parts += [f"left: {reason}" for reason in left]
    return f"{endpoint}: {'; '.join(parts)}"
