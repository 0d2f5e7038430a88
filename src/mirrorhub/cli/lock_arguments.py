"""What `mirrorhub lock` is given: options that its commands share, repositories by their names, and wishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from mirrorhub.cli.naming import parse_name
from mirrorhub.errors import ConfigError
from mirrorhub.models import RepoType

if TYPE_CHECKING:
    from mirrorhub.arguments import Options
    from mirrorhub.config import Settings
    from mirrorhub.lockfile import LockedRepo, LockFile
    from mirrorhub.lockfile.locking import Wish
    from mirrorhub.models import Repo

F = TypeVar("F", bound=Callable[..., Any])


def lock_options(command: F) -> F:
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


def settings_from(options: dict[str, Any]) -> Settings:
    """Collect the settings of a command."""
    from mirrorhub.config import Settings

    names = {"endpoints": "endpoints", "trust": "trust", "timeout": "timeout_s"}
    return Settings.load({name: options[option] or None for option, name in names.items()})


def chosen_from(lock: LockFile, repos: Sequence[str], options: dict[str, Any]) -> list[LockedRepo]:
    """Return what is locked of the named repositories; all, where none is named.

    Raises:
        ConfigError: One of them is not locked.
    """
    if not repos:
        if not lock.repositories:
            click.echo("nothing is locked yet", err=True)
        return list(lock.repositories)
    chosen: list[LockedRepo] = []
    for given in repos:
        repo, revision = _named(given, options)
        found = [one for one in lock.of(repo) if revision in (None, one.revision, one.commit)]
        if not found:
            raise ConfigError(f"{given} is not locked. `mirrorhub lock add {given}` locks it.")
        chosen += [one for one in found if one not in chosen]
    return chosen


def wish_from(given: str, revision: str | None, options: dict[str, Any], also: Sequence[str]) -> Wish:
    """Read what is to be locked.

    Raises:
        ConfigError: It is no repository, or a value cannot be used.
    """
    from mirrorhub.lockfile.locking import wish_for

    repo, named = _named(given, options)
    if named and revision:
        raise click.UsageError(f"{given} names a revision: --revision cannot stand beside it.")
    patterns: Options = {"allow_patterns": options["include"] or None, "ignore_patterns": options["exclude"] or None}
    others = [_named(one, {**options, "hub": "auto"})[0] for one in also]
    return wish_for(repo, named or revision, patterns, others)


def wish_anew(entry: LockedRepo, options: dict[str, Any]) -> Wish:
    """Return what is wished for in the place of an entry: what is not said anew stays."""
    from dataclasses import replace

    from mirrorhub.lockfile.locking import wish_of

    said = wish_from(str(entry.repo), options["revision"] or entry.revision, options, options["also"])
    old = wish_of(entry)
    return replace(
        said,
        include=said.include if options["include"] else old.include,
        exclude=said.exclude if options["exclude"] else old.exclude,
        also=said.also or old.also,
    )


def _named(given: str, options: dict[str, Any]) -> tuple[Repo, str | None]:
    from mirrorhub.repo_names import repo_of

    named = parse_name(given)
    if named.path:
        raise click.UsageError(f"{given} names a path: of a repository's files --include chooses some.")
    return repo_of(named.repo, options["hub"], options["repo_type"]), named.revision
