"""`mirrorhub download`: bring a repository, or part of it, to disk."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mirrorhub.cli.source import given, source_options, story


@click.command(short_help="Bring a repository, or part of it, to disk.")
@click.argument("repo_id")
@click.argument("files", nargs=-1)
@source_options
@click.option("--repo-type", type=click.Choice(["model", "dataset", "space"]), default="model")
@click.option("--include", "allow_patterns", multiple=True, help="Only files that match; repeatable.")
@click.option("--exclude", "ignore_patterns", multiple=True, help="No files that match; repeatable.")
@click.option("--local-dir", type=click.Path(file_okay=False), help="Put plain files here instead of into the cache.")
@click.option("--token", envvar=[], help="For this call; better kept in MODELSCOPE_API_TOKEN or HF_TOKEN.")
@click.option("--max-workers", type=click.IntRange(min=1), help="How many files at once.")
@click.option("--force", "force_download", is_flag=True, help="Fetch although the files are there.")
@click.option("--verify", is_flag=True, help="Compare files on disk with their digests.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def download(repo_id: str, files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Bring REPO_ID (or only FILES of it) to disk and print where it is.

    REPO_ID is owner/name on ModelScope, hf://owner/name on Hugging Face.
    """
    from mirrorhub.api import fetch, fetch_files

    snapshot = fetch_files(repo_id, files, **given(options)) if files else fetch(repo_id, **given(options))
    if as_json:
        click.echo(json.dumps(asdict(snapshot), default=str, ensure_ascii=False, indent=2))
        return
    for line in story(snapshot):
        click.echo(line, err=True)
    click.echo(f"vouched for by: {snapshot.vouched_by}", err=True)
    if snapshot.reports or snapshot.stale:
        click.echo("`mirrorhub why` tells more.", err=True)
    click.echo(str(snapshot.path))
