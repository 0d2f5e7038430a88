"""`mirrorhub download`: bring a repository, or part of it, to disk."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from mirrorhub.cli.dry_run import print_preview
from mirrorhub.cli.order import Order, order_for
from mirrorhub.cli.source import FOLDER, source_options, story
from mirrorhub.cli.spelling import SpeltCommand
from mirrorhub.cli.token_option import given_token
from mirrorhub.models import RepoType, Snapshot

_FORMATS = ("auto", "human", "agent", "json", "quiet")


@click.command(cls=SpeltCommand, short_help="Bring a repository, or part of it, to disk.")
@click.argument("repo_id", required=False)
@click.argument("files", nargs=-1)
@source_options
@click.option("--repo-type", "--type", type=click.Choice(get_args(RepoType)), help="Without it a model.")
@click.option("--include", "allow_patterns", multiple=True, help="Only files that match; several, or repeated.")
@click.option("--exclude", "ignore_patterns", multiple=True, help="No files that match; several, or repeated.")
@click.option("--local-dir", type=FOLDER, help="Put plain files here instead of into the cache.")
@click.option(
    "--token",
    envvar=[],
    callback=given_token,
    help="For this call; `-` reads it from standard input. Here every user of the machine can see it: better kept in "
    "MODELSCOPE_API_TOKEN or HF_TOKEN, or with the SDK's login.",
)
@click.option("--max-workers", type=click.IntRange(min=1), help="How many files at once.")
@click.option(
    "--force", "--force-download/--no-force-download", "force_download", help="Fetch although the files are there."
)
@click.option("--dry-run/--no-dry-run", help="Say what would be fetched, and fetch nothing.")
@click.option("--verify", is_flag=True, help="Compare files on disk with their digests.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print the path alone.")
@click.option("--format", "form", type=click.Choice(_FORMATS), hidden=True)
@click.option("--no-truncate", is_flag=True, hidden=True, expose_value=False)
@click.option("--resume-download", is_flag=True, hidden=True, expose_value=False)
@click.option("--local-dir-use-symlinks", hidden=True, expose_value=False)
@click.option("--model", hidden=True)
@click.option("--dataset", hidden=True)
def download(
    repo_id: str | None,
    files: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    form: str | None,
    **options: Any,
) -> None:
    """Bring REPO_ID (or only FILES of it) to disk and print where it is: the directory, or the one file that was named.

    REPO_ID is owner/name on ModelScope, hf://owner/name on Hugging Face; hf://datasets/owner/name@revision/path says
    more. A file that ends in a slash is a folder. The options of `modelscope download` and `hf download` are read.
    """
    as_json, quiet = _form(form, as_json=as_json, quiet=quiet)
    order = order_for(repo_id, files, options)
    if order.ignored:
        click.echo("--include and --exclude say nothing beside FILES: they are left aside.", err=True)
    if dry_run:
        from mirrorhub.api import preview

        print_preview(preview(order.repo_id, paths=order.paths, **order.options), as_json=as_json, quiet=quiet)
        return
    snapshot = _bring(order)
    # As `hf download` does: of one file its own place, of several, and of a folder, the directory.
    place = snapshot.path / order.paths[0] if order.paths and len(order.paths) == 1 else snapshot.path
    _print(snapshot, place, as_json=as_json, quiet=quiet)


def _bring(order: Order) -> Snapshot:
    from mirrorhub.api import fetch, fetch_files

    if order.paths is not None:
        return fetch_files(order.repo_id, order.paths, **order.options)
    snapshot = fetch(order.repo_id, **order.options)
    order.check(snapshot)
    return snapshot


def _print(snapshot: Snapshot, place: Path, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(snapshot), default=str, ensure_ascii=False, indent=2))
        return
    if not quiet:
        for line in _told(snapshot):
            click.echo(line, err=True)
    click.echo(str(place))


def _told(snapshot: Snapshot) -> list[str]:
    lines = [*story(snapshot), f"vouched for by: {snapshot.vouched_by}"]
    if not snapshot.files:
        lines.append("no file was wanted: the repository is empty, or nothing matches.")
    if not snapshot.verified:
        lines.append("not verified: there is no digest to compare the files with, or not of all of them.")
    if snapshot.reports or snapshot.stale:
        lines.append("`mirrorhub why` tells more.")
    return lines


def _form(form: str | None, *, as_json: bool, quiet: bool) -> tuple[bool, bool]:
    """Read `--format`, which says in one option what the others say by themselves."""
    if sum((form is not None, as_json, quiet)) > 1:
        raise click.UsageError("--format, --json and --quiet each say how to print: only one can be given.")
    return as_json or form == "json", quiet or form == "quiet"
