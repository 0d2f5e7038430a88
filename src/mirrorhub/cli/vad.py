"""`mirrorhub vad`: find the speech in recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.source import given, source_options
from mirrorhub.errors import AudioError

if TYPE_CHECKING:
    from mirrorhub.vad import Segment, Vad


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", default=None, help="A repository, or a directory with the model's files.")
@source_options
@click.option(
    "--set", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the detector; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one object per file.")
def vad(files: tuple[Path, ...], model: str | None, parameters: tuple[str, ...], as_json: bool, **options: Any) -> int:
    """Find the speech in FILES and print it as a table of segments."""
    # The matrices are small: more threads of BLAS than one cost more than they bring, the more so on busy cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from mirrorhub.api import FSMN_VAD, load_vad

    detected_with = _parameters(parameters)
    _check_some_exist(files)
    detector = load_vad(model or FSMN_VAD, **given(options), **detected_with)
    results = [_detect(detector, file) for file in files]
    if as_json:
        click.echo(json.dumps([_record(*result) for result in results], ensure_ascii=False, indent=2))
    else:
        _print_tables(results)
    failed = sum(isinstance(found, AudioError) for _, found in results)
    return 0 if not failed else 1 if failed == len(results) else 5


def _detect(detector: Vad, file: Path) -> tuple[Path, list[Segment] | AudioError]:
    try:
        return file, detector(file)
    except AudioError as error:
        return file, error


def _check_some_exist(files: Iterable[Path]) -> None:
    """Refuse names that are all mistyped before a model is brought for them.

    Raises:
        click.BadParameter: There is no such file.
    """
    if not any(file.exists() for file in files):
        raise click.BadParameter(f"there is no file {', '.join(map(str, files))}.", param_hint="FILES")


def _parameters(given_: Iterable[str]) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for item in given_:
        name, mark, value = item.partition("=")
        if not mark:
            raise click.BadParameter(f"{item!r}: say NAME=VALUE", param_hint="--set")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            raise click.BadParameter(
                f"{item!r}: the value is a number, true, false or a list", param_hint="--set"
            ) from None
    return parameters


def _record(file: Path, found: list[Segment] | AudioError) -> dict[str, object]:
    if isinstance(found, AudioError):
        return {"file": str(file), "error": str(found)}
    return {"file": str(file), "segments": [[segment.start_ms, segment.end_ms] for segment in found]}


def _print_tables(results: list[tuple[Path, list[Segment] | AudioError]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for file, found in results:
        if isinstance(found, AudioError):
            click.echo(str(found), err=True)
            continue
        speech_s = sum(segment.duration_ms for segment in found) / 1000
        console.print(f"{escape(str(file))}: {len(found)} segments, {speech_s:.1f} s of speech", soft_wrap=True)
        table = Table(box=box.SIMPLE)
        for heading in ("#", "start", "end", "seconds"):
            table.add_column(heading, justify="right")
        for number, segment in enumerate(found, 1):
            length = f"{segment.duration_ms / 1000:.2f}"
            table.add_row(str(number), _clock(segment.start_ms), _clock(segment.end_ms), length)
        console.print(table)


def _clock(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes:02d}:{rest / 1000:06.3f}"
