"""`mirrorhub cache prune`: make room; it says what would go, and asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mirrorhub.cli.cache_rows import Age, Size, age_words, print_table, shown, size_words

if TYPE_CHECKING:
    from mirrorhub.cache.pruning import Outcome, Removal
    from mirrorhub.cache.selection import Selected

DONE_IN_PART = 5


@click.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--older-than", "older_than_s", type=Age(), help="What was not used for so long: 30d, 12h, 2w.")
@click.option("--larger-than", type=Size(), help="What is in repositories larger than this: 10GB, 500MB.")
@click.option("--keep-size", type=Size(), help="The least used, until so much is left.")
@click.option("--partials", "on_its_way", is_flag=True, help="No snapshots: what is on its way and nobody's.")
@click.option("--aside", is_flag=True, help="No snapshots: what was found damaged and put aside.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def prune(
    repos: tuple[str, ...],
    older_than_s: float | None,
    larger_than: int | None,
    keep_size: int | None,
    on_its_way: bool,
    aside: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Delete snapshots, or what is on its way or put aside; of several conditions all have to be met.

    What an SDK made goes only where its REPO is named. What other snapshots share stays, and so does everything in a
    repository that a living process works in. Exit code 5 where something could not be deleted.
    """
    from mirrorhub.cache.pruning import Wish, chosen
    from mirrorhub.cache.selection import selected
    from mirrorhub.config import Settings

    parts = on_its_way or aside
    if parts and (larger_than is not None or keep_size is not None):
        raise click.UsageError("--larger-than and --keep-size are about snapshots: not with --partials or --aside.")
    if not (repos or parts or older_than_s is not None or larger_than is not None or keep_size is not None):
        raise click.UsageError(
            "Say what should go: a REPO, --older-than, --larger-than, --keep-size, --partials, --aside."
        )
    selection = selected(Settings.load(), repos)
    now_s = time.time()
    if parts:
        removals = _parts(selection, on_its_way, aside, older_than_s or 0.0, now_s)
    else:
        removals = chosen(selection, Wish(older_than_s, larger_than, keep_size), now_s, named=bool(repos))
    return _carried_out(removals, now_s, dry_run, yes)


def _parts(
    selection: list[Selected], on_its_way: bool, aside: bool, older_than_s: float, now_s: float
) -> list[Removal]:
    from mirrorhub.cache.pruning import Removal, room

    all_of_them = [Removal(repo, (), on_its_way, aside, older_than_s) for repo, _ in selection]
    return [one for one in all_of_them if room(one, now_s) or (aside and one.repo.aside)]


def _carried_out(removals: list[Removal], now_s: float, dry_run: bool, yes: bool) -> int:
    from mirrorhub.cache.pruning import remove, room

    if not removals:
        click.echo("Nothing has to go.")
        return 0
    rows = [row for removal in removals for row in _rows(removal)]
    print_table(("repository", "what", "size", "used"), rows, frozenset({"size"}))
    click.echo(f"frees {size_words(sum(room(removal, now_s) for removal in removals))}")
    if dry_run:
        return 0
    if not yes and not click.confirm("Delete this?"):
        click.echo("Nothing was deleted.")
        return 0
    outcomes = [asyncio.run(remove(removal)) for removal in removals]
    return _told(outcomes)


def _told(outcomes: list[Outcome]) -> int:
    for outcome in outcomes:
        if outcome.problem:
            click.echo(f"{shown(outcome.removal.repo.address)}: left as it is: {shown(outcome.problem)}", err=True)
    click.echo(f"freed {size_words(sum(outcome.freed for outcome in outcomes))}")
    return DONE_IN_PART if any(outcome.problem for outcome in outcomes) else 0


def _rows(removal: Removal) -> list[tuple[str, str, str, str]]:
    repo = removal.repo
    rows = [
        (
            repo.address,
            f"{', '.join(one.revisions)[:60]}{'' if one.ours else ' (not ours)'}",
            size_words(one.size),
            age_words(one.used_s),
        )
        for one in removal.snapshots
    ]
    if removal.on_its_way:
        rows.append((repo.address, "on its way", size_words(_size(replace(removal, aside=False))), "-"))
    if removal.aside:
        rows.append((repo.address, "put aside", size_words(_size(replace(removal, on_its_way=False))), "-"))
    return rows


def _size(removal: Removal) -> int:
    from mirrorhub.cache.pruning import room

    return room(removal, time.time())
