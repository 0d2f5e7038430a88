"""`mirrorhub lock`: write down what repositories hold, see what has changed since, and take it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.lock_arguments import chosen_from, lock_options, settings_from, wish_anew, wish_from
from mirrorhub.cli.lock_report import (
    changes_json,
    checked_json,
    locked_json,
    say_changes,
    say_checked,
    say_locked,
)
from mirrorhub.errors import AccessDeniedError, PinnedError

if TYPE_CHECKING:
    from mirrorhub.config import Settings
    from mirrorhub.lockfile import LockedRepo, LockFile
    from mirrorhub.lockfile.checking import Checked
    from mirrorhub.lockfile.comparing import Difference
    from mirrorhub.lockfile.locking import Listed

DIFFERS, USAGE, DENIED, NOT_CACHED = 1, 2, 3, 4


_include = click.option("--include", multiple=True, help="Only files that match; repeatable.")
_exclude = click.option("--exclude", multiple=True, help="No files that match; repeatable.")
_also = click.option("--also", multiple=True, help="A repository of another hub that holds the same files; repeatable.")


@click.group(short_help="Lock what repositories hold; check it, and take what is new.")
def lock() -> None:
    """Keep in mirrorhub.lock what the project's repositories hold: commit, and size and digest of every file.

    What is locked is what arrives, whoever carries it. Without --file the lock file is looked for from here up to the
    project's root.
    """


@lock.command()
@click.argument("repos", nargs=-1, required=True, metavar="REPO...")
@click.option("--revision", help="Branch, tag or commit.")
@_include
@_exclude
@_also
@lock_options
def add(
    repos: tuple[str, ...],
    revision: str | None,
    file: Path | None,
    as_json: bool,
    also: tuple[str, ...],
    **options: Any,
) -> None:
    """Lock REPO, as it is now. What is locked already, and differs, is left as it is: see `lock update`."""
    from mirrorhub.lockfile import locking

    settings = settings_from(options)
    place, old = locking.lock_place(settings, file), locking.read_lock(settings, file, may_be_new=True)
    wishes = [wish_from(name, revision, options, also) for name in repos]
    found = [locking.listed(wish, settings) for wish in wishes]
    for one in found:
        _check_not_locked(old, one)
    entries = [locking.locked(one, settings) for one in found]
    locking.write_lock(place, entries, named=file is not None or settings.names_lockfile)
    click.echo(locked_json(entries, place)) if as_json else say_locked(entries, place)


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--revision", help="Another branch, tag or commit.")
@_include
@_exclude
@_also
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--older", is_flag=True, help="Take an older state than the locked one, too.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@lock_options
def update(
    repos: tuple[str, ...], file: Path | None, as_json: bool, yes: bool, older: bool, dry_run: bool, **options: Any
) -> int:
    """Take what REPO holds now, or all that is locked; first it is shown what changes, and asked."""
    from mirrorhub.lockfile import locking

    settings = settings_from(options)
    old = locking.read_lock(settings, file)
    entries = chosen_from(old, repos, options)
    if options["revision"] and len(entries) != 1:
        raise click.UsageError("--revision is one repository's: name that one, locked at one revision.")
    found = [locking.listed(wish_anew(entry, options), settings) for entry in entries]
    pairs = [(entry, one) for entry, one in zip(entries, found, strict=True) if _is_new(entry, one)]
    differences = {str(entry): locking.changes(entry, one) for entry, one in pairs}
    if as_json:
        click.echo(changes_json([(name, one.lines) for name, one in differences.items()]))
    else:
        _show(entries, pairs, differences)
    if dry_run or not pairs:
        return 0
    # Who names another revision has said which one is meant.
    back = [one for one in differences.values() if one.older and not options["revision"]]
    if back and not older:
        click.echo("Nothing was written: a step back is taken with --older only.", err=True)
        return USAGE
    return (0 if yes else _refused()) or _take(pairs, settings, file, quiet=as_json)


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--offline", is_flag=True, help="Compare with what is on disk only.")
@lock_options
def check(repos: tuple[str, ...], file: Path | None, as_json: bool, offline: bool, **options: Any) -> int:
    """Compare what is locked with what the hubs list now, and with what is on disk. Exit code 1 where it differs.

    With --offline, exit code 4 where a file is not on disk.
    """
    from mirrorhub.lockfile import checking, locking

    settings = settings_from(options)
    entries = chosen_from(locking.read_lock(settings, file), repos, options)
    offline_for = [offline or settings.offline_for(entry.repo.hub) for entry in entries]
    results = [checking.check(one, settings, offline=off) for one, off in zip(entries, offline_for, strict=True)]
    if as_json:
        click.echo(checked_json(results))
    else:
        say_checked(results, offline=all(offline_for))
    return _code(results, offline=all(offline_for))


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO... | OLD NEW]")
@lock_options
def diff(repos: tuple[str, ...], file: Path | None, as_json: bool, **options: Any) -> None:
    """Show what `lock update` would change, or what differs between two lock files OLD and NEW."""
    from mirrorhub.lockfile import checking, locking
    from mirrorhub.lockfile.reading import load_lock

    settings = settings_from(options)
    if len(repos) == 2 and all(Path(name).is_file() for name in repos):
        old, new = (load_lock(Path(name)) for name in repos)
        differing = list(checking.between(old, new))
    else:
        entries = chosen_from(locking.read_lock(settings, file), repos, options)
        found = [locking.listed(locking.wish_of(entry), settings) for entry in entries]
        differing = [(str(old), locking.changes(old, one).lines) for old, one in zip(entries, found, strict=True)]
    if as_json:
        click.echo(changes_json(differing))
        return
    for name, lines in differing:
        say_changes(name, lines)


def _take(pairs: Sequence[tuple[LockedRepo, Listed]], settings: Settings, file: Path | None, *, quiet: bool) -> int:
    from mirrorhub.lockfile import locking

    taken = [locking.locked(one, settings) for _, one in pairs]
    place, named = locking.lock_place(settings, file), file is not None or settings.names_lockfile
    locking.write_lock(place, taken, [entry.key for entry, _ in pairs], named=named)
    if not quiet:
        say_locked(taken, place)
    return 0


def _check_not_locked(old: LockFile, found: Listed) -> None:
    from mirrorhub.lockfile.locking import changes

    entry = old.find(found.entry.key)
    if entry is not None and (difference := changes(entry, found)):
        advice = f"`mirrorhub lock update {entry.repo}` takes what is new."
        raise PinnedError(f"{entry} is locked already, and otherwise:", difference.lines, advice=advice)


def _is_new(entry: LockedRepo, found: Listed) -> bool:
    from mirrorhub.lockfile.locking import changes, wish_of

    return bool(changes(entry, found)) or wish_of(entry) != wish_of(found.entry)


def _show(
    entries: Sequence[LockedRepo], pairs: Sequence[tuple[LockedRepo, Listed]], differences: Mapping[str, Difference]
) -> None:
    for entry in entries:
        found = differences.get(str(entry))
        say_changes(str(entry), found.lines if found else ())
    for entry, one in pairs:
        if entry.revision != one.entry.revision:
            click.echo(f"  revision: {entry.revision} -> {one.entry.revision}")


def _refused() -> int:
    """Ask; return the exit code where the answer is no, and where nobody can answer."""
    if sys.stdin.isatty():
        return 0 if click.confirm("Take this?", err=True) else DIFFERS
    click.echo("Nothing was written: nobody can be asked here. --yes takes it.", err=True)
    return USAGE


def _code(results: Sequence[Checked], *, offline: bool) -> int:
    if any(one.lines for one in results):
        return DIFFERS
    if errors := [one.error for one in results if one.error is not None]:
        return DENIED if isinstance(errors[0], AccessDeniedError) else DIFFERS
    return NOT_CACHED if offline and any(one.missing for one in results) else 0
