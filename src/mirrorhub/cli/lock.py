"""`mirrorhub lock`: write down what repositories hold, see what has changed since, and take it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from mirrorhub.cli.lock_report import (
    changes_json,
    checked_json,
    locked_json,
    say_changes,
    say_checked,
    say_locked,
)
from mirrorhub.cli.naming import parse_name
from mirrorhub.errors import AccessDeniedError, ConfigError, PinnedError
from mirrorhub.models import RepoType

if TYPE_CHECKING:
    from mirrorhub.arguments import Options
    from mirrorhub.config import Settings
    from mirrorhub.lockfile import LockedRepo, LockFile
    from mirrorhub.lockfile.checking import Checked
    from mirrorhub.lockfile.comparing import Difference
    from mirrorhub.lockfile.locking import Listed, Wish
    from mirrorhub.models import Repo

F = TypeVar("F", bound=Callable[..., Any])
DIFFERS, USAGE, DENIED, NOT_CACHED = 1, 2, 3, 4


def _shared(command: F) -> F:
    """Add the options that all of these commands take."""
    options = [
        click.option(
            "-f",
            "--file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The lock file; without it the project's own.",
        ),
        click.option("--hub", type=click.Choice(["auto", "modelscope", "huggingface"]), default="auto"),
        click.option("--repo-type", "--type", type=click.Choice(get_args(RepoType)), help="Without it a model."),
        click.option("--endpoint", "endpoints", multiple=True, help="An endpoint of the chain, in order; repeatable."),
        click.option("--trust", type=click.Choice(["official", "auto", "any"]), help="Who is believed."),
        click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds for each repository."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


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
@_shared
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

    settings = _settings(options)
    place, old = locking.lock_place(settings, file), locking.read_lock(settings, file, may_be_new=True)
    wishes = [_wish(name, revision, options, also) for name in repos]
    found = [locking.listed(wish, settings) for wish in wishes]
    for one in found:
        _check_not_locked(old, one)
    entries = [locking.locked(one, settings) for one in found]
    locking.write_lock(place, entries)
    click.echo(locked_json(entries, place)) if as_json else say_locked(entries, place)


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--revision", help="Another branch, tag or commit.")
@_include
@_exclude
@_also
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@_shared
def update(repos: tuple[str, ...], file: Path | None, as_json: bool, yes: bool, dry_run: bool, **options: Any) -> int:
    """Take what REPO holds now, or all that is locked; first it is shown what changes, and asked."""
    from mirrorhub.lockfile import locking

    settings = _settings(options)
    place, old = locking.lock_place(settings, file), locking.read_lock(settings, file)
    entries = _chosen(old, repos, options)
    if options["revision"] and len(entries) != 1:
        raise click.UsageError("--revision is one repository's: name that one, locked at one revision.")
    found = [locking.listed(_changed(entry, options), settings) for entry in entries]
    pairs = [(entry, one) for entry, one in zip(entries, found, strict=True) if _is_new(entry, one)]
    differences = {str(entry): locking.changes(entry, one) for entry, one in pairs}
    if as_json:
        click.echo(changes_json([(name, one.lines) for name, one in differences.items()]))
    else:
        _show(entries, pairs, differences)
    if dry_run or not pairs:
        return 0
    if not yes and (refused := _refused(differences.values())):
        return refused
    taken = [locking.locked(one, settings) for _, one in pairs]
    locking.write_lock(place, taken, [entry.key for entry, _ in pairs])
    if not as_json:
        say_locked(taken, place)
    return 0


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO]...")
@click.option("--offline", is_flag=True, help="Compare with what is on disk only.")
@_shared
def check(repos: tuple[str, ...], file: Path | None, as_json: bool, offline: bool, **options: Any) -> int:
    """Compare what is locked with what the hubs list now, and with what is on disk. Exit code 1 where it differs.

    With --offline, exit code 4 where a file is not on disk.
    """
    from mirrorhub.lockfile import checking, locking

    settings = _settings(options)
    entries = _chosen(locking.read_lock(settings, file), repos, options)
    offline_for = [offline or settings.offline_for(entry.repo.hub) for entry in entries]
    results = [checking.check(one, settings, offline=off) for one, off in zip(entries, offline_for, strict=True)]
    if as_json:
        click.echo(checked_json(results))
    else:
        say_checked(results, offline=all(offline_for))
    return _code(results, offline=all(offline_for))


@lock.command()
@click.argument("repos", nargs=-1, metavar="[REPO... | OLD NEW]")
@_shared
def diff(repos: tuple[str, ...], file: Path | None, as_json: bool, **options: Any) -> None:
    """Show what `lock update` would change, or what differs between two lock files OLD and NEW."""
    from mirrorhub.lockfile import checking, locking
    from mirrorhub.lockfile.reading import load_lock

    settings = _settings(options)
    if len(repos) == 2 and all(Path(name).is_file() for name in repos):
        old, new = (load_lock(Path(name)) for name in repos)
        differing = list(checking.between(old, new))
    else:
        entries = _chosen(locking.read_lock(settings, file), repos, options)
        found = [locking.listed(locking.wish_of(entry), settings) for entry in entries]
        differing = [(str(old), locking.changes(old, one).lines) for old, one in zip(entries, found, strict=True)]
    if as_json:
        click.echo(changes_json(differing))
        return
    for name, lines in differing:
        say_changes(name, lines)


def _settings(options: dict[str, Any]) -> Settings:
    from mirrorhub.config import Settings

    names = {"endpoints": "endpoints", "trust": "trust", "timeout": "timeout_s"}
    return Settings.load({name: options[option] or None for option, name in names.items()})


def _wish(given: str, revision: str | None, options: dict[str, Any], also: Sequence[str]) -> Wish:
    from mirrorhub.lockfile.locking import wish_for

    repo, named = _named(given, options)
    if named and revision:
        raise click.UsageError(f"{given} names a revision: --revision cannot stand beside it.")
    patterns: Options = {"allow_patterns": options["include"] or None, "ignore_patterns": options["exclude"] or None}
    others = [_named(one, {**options, "hub": "auto"})[0] for one in also]
    return wish_for(repo, named or revision, patterns, others)


def _named(given: str, options: dict[str, Any]) -> tuple[Repo, str | None]:
    from mirrorhub.repo_names import repo_of

    named = parse_name(given)
    if named.path:
        raise click.UsageError(f"{given} names a path: of a repository's files --include chooses some.")
    return repo_of(named.repo, options["hub"], options["repo_type"]), named.revision


def _changed(entry: LockedRepo, options: dict[str, Any]) -> Wish:
    """Return what is wished for in the place of an entry: what is not said anew stays."""
    from dataclasses import replace

    from mirrorhub.lockfile.locking import wish_of

    said = _wish(str(entry.repo), options["revision"] or entry.revision, options, options["also"])
    old = wish_of(entry)
    return replace(
        said,
        include=said.include if options["include"] else old.include,
        exclude=said.exclude if options["exclude"] else old.exclude,
        also=said.also or old.also,
    )


def _chosen(lock: LockFile, repos: Sequence[str], options: dict[str, Any]) -> list[LockedRepo]:
    """Return what is locked of the named repositories; all, where none is named."""
    if not repos:
        return list(lock.repositories)
    chosen: list[LockedRepo] = []
    for given in repos:
        repo, revision = _named(given, options)
        found = [one for one in lock.of(repo) if revision in (None, one.revision, one.commit)]
        if not found:
            raise ConfigError(f"{given} is not locked. `mirrorhub lock add {given}` locks it.")
        chosen += [one for one in found if one not in chosen]
    return chosen


def _check_not_locked(old: LockFile, found: Listed) -> None:
    from mirrorhub.lockfile.locking import changes

    entry = old.find(found.entry.key)
    if entry is not None and (difference := changes(entry, found)):
        message = f"{entry} is locked already, and otherwise. `mirrorhub lock update {entry.repo}` takes what is new:"
        raise PinnedError(message, difference.lines)


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


def _refused(differences: Iterable[Difference]) -> int:
    """Ask; return the exit code where the answer is no, and where nobody can answer."""
    if any(one.older for one in differences):
        click.echo("Nothing was written: a step back is taken with --yes only.", err=True)
        return USAGE
    if sys.stdin.isatty():
        return 0 if click.confirm("Take this?") else DIFFERS
    click.echo("Nothing was written: nobody can be asked here. --yes takes it.", err=True)
    return USAGE


def _code(results: Sequence[Checked], *, offline: bool) -> int:
    if any(one.lines for one in results):
        return DIFFERS
    if errors := [one.error for one in results if one.error is not None]:
        return DENIED if isinstance(errors[0], AccessDeniedError) else DIFFERS
    return NOT_CACHED if offline and any(one.missing for one in results) else 0
