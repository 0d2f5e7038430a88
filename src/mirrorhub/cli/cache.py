"""`mirrorhub cache`: what lies in the caches, whether it is right, and making room."""

from __future__ import annotations

import json
from typing import Any

import click

from mirrorhub.cache.inventory import StoredRepo, StoredSnapshot
from mirrorhub.cli.cache_folders import cache_option, nothing_in, settings_for
from mirrorhub.cli.cache_prune import prune
from mirrorhub.cli.cache_rows import age_words, counted, print_rows, shown, size_words
from mirrorhub.cli.cache_verify import verify
from mirrorhub.cli.table import Column
from mirrorhub.stores.leftovers import Leftover

SNAPSHOTS = (
    Column("repository", is_text=True),
    Column("revision", is_text=True, spare=1),
    Column("files", spare=3),
    Column("size"),
    Column("used", is_text=True, spare=4),
    Column("published", is_text=True, spare=5),
    Column("state", is_text=True, spare=2),
)
PARTIALS = (
    Column("repository", is_text=True),
    Column("file", is_text=True),
    Column("kind", is_text=True, spare=3),
    Column("bytes"),
    Column("written", is_text=True, spare=2),
    Column("owner", is_text=True, spare=1),
)
SHORT = 12
"""Characters of a digest by which a person tells one from another."""


@click.group()
def cache() -> None:
    """Show, verify and prune what lies in the caches.

    REPO is owner/name on ModelScope, hf://owner/name on Hugging Face, with @revision for one snapshot of it; or a
    folder that was given as --local-dir.
    """


@cache.command("list")
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes in bytes, times in seconds of the epoch.")
def list_(repos: tuple[str, ...], cache_dir: str | None, as_json: bool) -> None:
    """Show the snapshots in both caches: what they are, their size, and when they were used."""
    from mirrorhub.cache.selection import selected

    settings = settings_for(cache_dir)
    found = selected(settings, repos)
    if as_json:
        click.echo(json.dumps([_record(repo, some) for repo, some in found], ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo(nothing_in(settings))
        return
    rows = [row for repo, some in found for row in _rows(repo, some)]
    print_rows(SNAPSHOTS, rows)
    for line in _totals([repo for repo, _ in found]):
        click.echo(line)


@cache.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@cache_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON; sizes in bytes, times in seconds of the epoch.")
def partials(repos: tuple[str, ...], cache_dir: str | None, as_json: bool) -> None:
    """Show what is on its way: bytes of which file, how old, and whether their owner lives."""
    from mirrorhub.cache.selection import selected

    found = [(repo, one) for repo, _ in selected(settings_for(cache_dir), repos) for one in repo.on_its_way]
    if as_json:
        click.echo(json.dumps([_partial(repo, one) for repo, one in found], ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("Nothing is on its way.")
        return
    rows = [
        (
            repo.address,
            _file(repo, one) or _short(one.content) or "-",
            one.kind,
            size_words(one.size),
            age_words(one.written_s),
            "alive" if one.alive else "gone",
        )
        for repo, one in found
    ]
    print_rows(PARTIALS, rows)
    living = sum(one.alive for _, one in found)
    told = f", {living} of a living process" if living else ""
    click.echo(f"{len(found)} on the way{told}, {size_words(sum(one.size for _, one in found))}")


for command in (verify, prune):
    cache.add_command(command)


def _rows(repo: StoredRepo, snapshots: tuple[StoredSnapshot, ...]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            repo.address,
            ", ".join(one.revisions)[:60],
            str(one.files),
            size_words(one.size),
            age_words(one.used_s),
            age_words(one.published_s),
            _state(one),
        )
        for one in snapshots
    ]
    if not rows and (repo.on_its_way or repo.aside or repo.other):
        rows = [(repo.address, "-", "0", size_words(repo.size), "-", "-", "no snapshot")]
    return rows


def _state(snapshot: StoredSnapshot) -> str:
    if snapshot.unreadable:
        return "its note cannot be read"
    if not snapshot.ours:
        return "not ours"
    if snapshot.unlike:
        return f"{counted(len(snapshot.unlike), 'file', 'files')} changed"
    return "verified" if snapshot.verified else "not verified"


def _totals(repos: list[StoredRepo]) -> list[str]:
    """Say what is there together, and what beside the snapshots."""
    snapshots = sum(len(repo.snapshots) for repo in repos)
    together = counted(len(repos), "repository", "repositories"), counted(snapshots, "snapshot", "snapshots")
    lines = [f"{', '.join(together)}, {size_words(sum(repo.size for repo in repos))}"]
    if on_its_way := sum(len(repo.on_its_way) for repo in repos):
        size = size_words(sum(repo.size_on_its_way for repo in repos))
        lines.append(f"on its way: {on_its_way} ({size}); see `mirrorhub cache partials`")
    lines += [
        f"put aside: {shown(one.path)} of {shown(repo.address)}, {age_words(one.at_s)}, {size_words(one.held)}, "
        f"in {shown(str(one.folder))}"
        for repo in repos
        for one in repo.aside
    ]
    return lines


def _record(repo: StoredRepo, snapshots: tuple[StoredSnapshot, ...]) -> dict[str, Any]:
    return {
        "repo": shown(repo.address),
        "hub": repo.repo.hub,
        "type": repo.repo.type,
        "id": shown(repo.repo.id),
        "path": str(repo.home),
        "local_dir": repo.users,
        "older": repo.older,
        "size": repo.size,
        "snapshots": [_snapshot(one) for one in snapshots],
        "on_its_way": {"number": len(repo.on_its_way), "size": repo.size_on_its_way},
        "aside": [
            {
                "path": shown(one.path),
                "revision": shown(one.revision),
                "at": one.at_s,
                "expected": shown(one.expected),
                "actual": one.actual and shown(one.actual),
                "size": one.size,
                "kept": one.held,
                "from": [shown(origin) for origin in one.origins],
                "in": str(one.folder),
            }
            for one in repo.aside
        ],
        "other": repo.other,
    }


def _snapshot(snapshot: StoredSnapshot) -> dict[str, Any]:
    note = snapshot.note
    return {
        "name": shown(snapshot.name),
        "revisions": [shown(name) for name in snapshot.revisions],
        "commit": note and note.manifest.commit and shown(note.manifest.commit),
        "path": str(snapshot.path),
        "files": snapshot.files,
        "listed": note and len(note.manifest.files),
        "size": snapshot.size,
        "used": snapshot.used_s,
        "published": snapshot.published_s,
        "ours": snapshot.ours,
        "unreadable": snapshot.unreadable,
        "verified": snapshot.verified,
        "changed": [shown(path) for path in snapshot.unlike],
        "vouched_by": note and shown(str(note.manifest.vouched_by)),
    }


def _partial(repo: StoredRepo, one: Leftover) -> dict[str, Any]:
    file = _file(repo, one)
    return {
        "repo": shown(repo.address),
        "file": file and shown(file),
        "content": shown(one.content),
        "kind": one.kind,
        "size": one.size,
        "written": one.written_s,
        "alive": one.alive,
        "path": str(one.path),
    }


def _short(content: str) -> str:
    """Write `sha256-...` so that it takes no four lines."""
    algorithm, _, digest = content.rpartition("-")
    return f"{algorithm}-{digest[:SHORT]}" if algorithm else content


def _file(repo: StoredRepo, one: Leftover) -> str | None:
    """Name the file that the bytes are of, if some note lists the same content."""
    notes = (snapshot.note for snapshot in repo.snapshots)
    entries = (entry for note in notes if note for entry in note.manifest.files if entry.digest)
    known = (entry.path for entry in entries if f"{entry.digest}".replace(":", "-") == one.content)
    return next(known, None)
