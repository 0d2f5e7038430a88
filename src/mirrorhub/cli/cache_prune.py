"""`mirrorhub cache prune`: make room; it says what would go, and asks."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mirrorhub.cli.cache_folders import cache_option, settings_for
from mirrorhub.cli.cache_rows import Age, Size, age_words, print_rows, shown, size_words
from mirrorhub.cli.table import Column

if TYPE_CHECKING:
    from mirrorhub.cache.inventory import StoredSnapshot
    from mirrorhub.cache.pruning import Outcome, Removal
    from mirrorhub.cache.selection import Selected

DONE_IN_PART, INTERRUPTED = 5, 130
COLUMNS = (
    Column("repository", is_text=True),
    Column("what", is_text=True),
    Column("size"),
    Column("used", is_text=True, spare=1),
)


@click.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@cache_option
@click.option("--older-than", "older_than_s", type=Age(), help="What was not used for so long: 30d, 12h, 2w.")
@click.option("--larger-than", type=Size(), help="What is in repositories larger than this: 10GB, 500MB.")
@click.option("--keep-size", type=Size(), help="The least used, until so much is left.")
@click.option("--partials", "on_its_way", is_flag=True, help="No snapshots: what is on its way and nobody's.")
@click.option("--aside", is_flag=True, help="No snapshots: what was found damaged and put aside.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def prune(
    repos: tuple[str, ...],
    cache_dir: str | None,
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

    parts = on_its_way or aside
    if parts and (larger_than is not None or keep_size is not None):
        raise click.UsageError("--larger-than and --keep-size are about snapshots: not with --partials or --aside.")
    if not (repos or parts or older_than_s is not None or larger_than is not None or keep_size is not None):
        raise click.UsageError(
            "Say what should go: a REPO, --older-than, --larger-than, --keep-size, --partials, --aside."
        )
    selection = selected(settings_for(cache_dir), repos)
    now_s = time.time()
    if parts:
        removals = _parts(selection, on_its_way, aside, older_than_s or 0.0, now_s)
    else:
        removals = chosen(selection, Wish(older_than_s, larger_than, keep_size), now_s, named=bool(repos))
    staying = _staying(selection, older_than_s or 0.0, now_s) if on_its_way else 0
    return _carried_out(removals, staying, now_s, dry_run, yes)


def _parts(
    selection: list[Selected], on_its_way: bool, aside: bool, older_than_s: float, now_s: float
) -> list[Removal]:
    from mirrorhub.cache.pruning import Removal, room

    all_of_them = [Removal(repo, (), on_its_way, aside, older_than_s) for repo, _ in selection]
    return [one for one in all_of_them if room(one, now_s) or (aside and one.repo.aside)]


def _staying(selection: list[Selected], older_than_s: float, now_s: float) -> int:
    """Count what would go if it were nobody's."""
    leftovers = (one for repo, _ in selection for one in repo.on_its_way if one.alive)
    return sum(now_s - one.written_s >= older_than_s for one in leftovers)


def _carried_out(removals: list[Removal], staying: int, now_s: float, dry_run: bool, yes: bool) -> int:
    from mirrorhub.cache.pruning import room

    if removals:
        print_rows(COLUMNS, [row for removal in removals for row in _rows(removal)])
        click.echo(f"frees {size_words(sum(room(removal, now_s) for removal in removals))}")
    elif not staying:
        click.echo("Nothing has to go.")
    if staying:
        stays = "1 is being written by a living process, and stays"
        click.echo(stays if staying == 1 else f"{staying} are being written by a living process, and stay", err=True)
    code = 0 if dry_run or not removals else _deleted(removals, yes)
    return code or (DONE_IN_PART if staying and not dry_run else 0)


def _deleted(removals: list[Removal], yes: bool) -> int:
    from mirrorhub.cache.pruning import remove

    try:
        agreed = yes or _agreed()
    except click.Abort:
        click.echo("Interrupted. Nothing was deleted.", err=True)
        return INTERRUPTED
    if not agreed:
        click.echo("Nothing was deleted.")
        return 0
    try:
        outcomes = [asyncio.run(remove(removal)) for removal in removals]
    except KeyboardInterrupt:
        click.echo("Interrupted. What was begun is finished by the next call in that repository.", err=True)
        return INTERRUPTED
    return _told(outcomes)


def _agreed() -> bool:
    """Ask.

    Raises:
        UsageError: Nobody answers.
        Abort: Somebody would rather not be asked.
    """
    nobody = click.UsageError("Nobody to ask: give -y.")
    if sys.stdin is None:
        raise nobody
    try:
        return click.confirm("Delete this?")
    except click.Abort as ended:
        # Of both the end of the input and Ctrl-C it says the same.
        if isinstance(ended.__context__, EOFError):
            click.echo()
            raise nobody from ended
        raise


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
            f"{', '.join(one.revisions)[:60]}{_whose(one)}",
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


def _whose(snapshot: StoredSnapshot) -> str:
    if snapshot.unreadable:
        return " (its note cannot be read)"
    return "" if snapshot.ours else " (not ours)"


def _size(removal: Removal) -> int:
    from mirrorhub.cache.pruning import room

    return room(removal, time.time())
