"""`mirrorhub bench`: compare endpoints, and save the order that was measured."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.bench_page import page_of
from mirrorhub.cli.bench_table import print_table
from mirrorhub.cli.page_file import in_a_folder, write_page
from mirrorhub.cli.source import given
from mirrorhub.models import Endpoint

if TYPE_CHECKING:
    # Brings in the HTTP library, which no other command needs in order to start.
    from mirrorhub.bench.comparison import Comparison, Measurement
    from mirrorhub.config import Settings

MB = 1_000_000


def _finite(context: click.Context, option: click.Parameter, value: float) -> float:
    if not math.isfinite(value * MB):
        raise click.BadParameter(f"{value} is not a number of MB.")
    return value


@click.command(short_help="Compare endpoints; --save keeps the order.")
@click.argument("model", required=False)
@click.option("--revision", help="Branch, tag or commit; `pinned` for the built-in digests.")
@click.option(
    "--hub",
    type=click.Choice(["auto", "modelscope", "huggingface"]),
    default="auto",
    help="Whose protocol MODEL and plain addresses mean.",
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    help="An address to compare (hf+https://… and ms+https://… name the protocol); repeatable. "
    "Without it: those a download would use.",
)
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True, help="Visits to each endpoint.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0.5),
    default=8.0,
    show_default=True,
    callback=_finite,
    help="MB that each endpoint is asked for at most, in all rounds.",
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Total seconds allowed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every round.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Write a page with charts.",
)
@click.option("--save", is_flag=True, help="Write the measured order into the config file.")
def bench(
    model: str | None,
    rounds: int,
    limit: float,
    endpoints: tuple[str, ...],
    timeout: float | None,
    as_json: bool,
    page: Path | None,
    save: bool,
    **options: Any,
) -> int:
    """Compare the endpoints that MODEL could come from; nothing is kept of what they give.

    Each is visited in turn, with fresh connections: DNS, connect, TLS, first byte, listing, throughput.
    The order is that of the time in which the whole MODEL would come. Without MODEL: FSMN-VAD.
    """
    from mirrorhub.api import FSMN_VAD
    from mirrorhub.api import bench as compare
    from mirrorhub.config import Settings

    settings = Settings.load({"endpoints": endpoints or None, "timeout_s": timeout}, to_be_written=save)
    options = {**given(options), "rounds": rounds, "limit": int(limit * MB), "settings": settings}
    try:
        with _status(rounds) as told:
            found = compare(model or FSMN_VAD, told=told, **options)
    except KeyboardInterrupt:
        click.echo("Interrupted. Nothing was kept or saved.", err=True)
        return 130
    if as_json:
        click.echo(json.dumps(record_of(found), indent=2))  # in ASCII: servers name files and hosts
    else:
        print_table(found)
    if save:
        _save(found, settings)
    if page is not None:
        write_page(page, page_of(found))
    return 0 if found.works else 1


def record_of(found: Comparison) -> dict[str, object]:
    """Write everything that was found as plain values; addresses without logins."""
    return {
        "repo": str(found.repo),
        "size": found.size or None,
        "rounds": found.rounds,
        "limit": found.limit,
        "endpoints": [_record(measurement, found.size) for measurement in found.measurements],
    }


def _record(measurement: Measurement, size: int) -> dict[str, object]:
    endpoint = measurement.endpoint
    return {
        "endpoint": str(endpoint),
        "hub": endpoint.hub,
        "can": sorted(endpoint.can),
        "official": endpoint.official,
        "works": measurement.works,
        "success": measurement.success,
        "estimate_s": measurement.estimate_s(size),
        "bytes_per_s": measurement.bytes_per_s,
        "asked": measurement.asked,
        "host": measurement.host,
        "http": measurement.http,
        "takes_range": measurement.takes_range,
        "reason": measurement.reason,
        "rounds": [asdict(one) for one in measurement.rounds],
    }


@contextmanager
def _status(rounds: int) -> Iterator[Callable[[int, Endpoint], None]]:
    """Say on stderr whom the visit is to, where somebody watches."""
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("") as status:
        yield lambda number, endpoint: status.update(f"round {number} of {rounds}: {escape(str(endpoint))}")


def _save(found: Comparison, settings: Settings) -> None:
    from mirrorhub.bench.saving import not_among, save_order, shown
    from mirrorhub.config import config_path

    if not found.works:
        click.echo("Not saved: no endpoint worked.", err=True)
        return
    path = config_path(os.environ)
    working = [measurement.endpoint for measurement in found.measurements if measurement.works]
    failed = [
        measurement.endpoint for measurement in found.measurements if measurement.rounds and not measurement.works
    ]
    listed = save_order(path, working, found.repo, settings)
    click.echo(f"Saved to {path}: endpoints, in this order", err=True)
    for number, line in enumerate(shown(listed), 1):
        click.echo(f"  {number}. {_plain(line)}", err=True)
    for endpoint in not_among(failed, listed, found.repo):
        click.echo(f"Not saved, because it never worked: {_plain(str(endpoint))}", err=True)
    if os.environ.get("MIRRORHUB_ENDPOINTS", "").strip():
        click.echo("MIRRORHUB_ENDPOINTS is set, and goes before the config file: unset it to use this order.", err=True)


def _plain(text: str) -> str:
    return re.sub(r"[^ -~\u00a0-\U0010ffff]", "?", text)
