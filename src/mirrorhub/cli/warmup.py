"""`mirrorhub warmup`: have a model ready before a service starts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from mirrorhub.cli.source import given, source_options, story
from mirrorhub.models import Snapshot


@click.command(short_help="Bring a model in, verify it, and try it out.")
@click.argument("model", required=False)
@source_options
@click.option(
    "--for",
    "purpose",
    type=click.Choice(["mirrorhub", "modelscope"]),
    default="mirrorhub",
    help="modelscope: the whole repository, so that an unchanged modelscope pipeline(...) starts offline.",
)
@click.option(
    "--link",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="With --for modelscope: where the program will be started; by default, here.",
)
@click.option("--no-link", is_flag=True, help="With --for modelscope: make no link.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def warmup(model: str | None, purpose: str, link: Path, no_link: bool, as_json: bool, **options: Any) -> None:
    """Bring MODEL in, verify it, load it, detect speech in a packaged sample, and print the time of each part.

    Without MODEL: FSMN-VAD. A model that is no FSMN-VAD is brought in and verified.
    """
    from mirrorhub.api import FSMN_VAD

    parts: dict[str, float] = {}
    snapshot = _brought(model or FSMN_VAD, purpose, given(options), parts)
    segments = _detected(snapshot, parts)
    linked = _linked(snapshot, link) if purpose == "modelscope" and not no_link else None
    if as_json:
        record = {"path": str(snapshot.path), "vouched_by": str(snapshot.vouched_by), "seconds": parts}
        click.echo(json.dumps({**record, "story": story(snapshot), "segments": segments}, indent=2))
        return
    for line in story(snapshot):
        click.echo(f"  {line}")
    click.echo(f"vouched for by: {snapshot.vouched_by}; {len(snapshot.files)} files in {snapshot.path}")
    for part, seconds in parts.items():
        click.echo(f"{part:>8} {seconds:7.3f} s")
    if segments is not None:
        click.echo(f"ready: {segments} segments in the packaged sample")
    if linked is not None:
        click.echo(linked)


def _brought(model: str, purpose: str, options: dict[str, Any], parts: dict[str, float]) -> Snapshot:
    """Fetch, then compare every file with its digest again, as it lies on disk."""
    from mirrorhub.api import fetch, fetch_vad_files, is_pinned

    revision = options.pop("revision", None)
    whole = purpose == "modelscope" or not is_pinned(model, options.get("hub", "auto"))
    bring = fetch if whole else fetch_vad_files
    with _timed(parts, "fetch"):
        snapshot = bring(model, revision, **options)
    if resolving := snapshot.seconds.get("resolve"):
        parts["resolve"] = resolving
        parts["fetch"] = max(0.0, parts["fetch"] - resolving)
    with _timed(parts, "verify"):
        bring(model, revision, **{**options, "verify": True, "local_files_only": True})
    return snapshot


def _detected(snapshot: Snapshot, parts: dict[str, float]) -> int | None:
    """Load the detector and count the sample's segments; None where the model is another one."""
    if not {"model.pt", "am.mvn", "config.yaml"} <= set(snapshot.files):
        return None
    with _timed(parts, "load"):
        from mirrorhub.vad import Vad, sample_path

        detector = Vad(snapshot.path)
    with _timed(parts, "detect"):
        return len(detector(sample_path()))


def _linked(snapshot: Snapshot, folder: Path) -> str:
    """Link `owner/name` below the folder where a program will be started to the snapshot.

    modelscope's `pipeline(model="owner/name")` asks the hub even when everything is in the cache (1.40.2,
    `pipelines/util.py`, `is_official_hub_path`), unless a directory of that name is there.
    """
    place = folder / snapshot.manifest.repo.id
    if place.is_symlink() or not place.exists():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.symlink_to(snapshot.path, target_is_directory=True)
        except OSError as error:
            return f"no link could be made at {place} ({error.strerror}): offline, give pipeline(...) the path above"
        return f"linked: {place.absolute()}: a program started there finds the model offline"
    return f"left alone: {place.absolute()} is there already, and no link"


@contextmanager
def _timed(parts: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    parts[name] = time.perf_counter() - started
