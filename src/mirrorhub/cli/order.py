"""What `mirrorhub download` was told to bring, checked: which repository, which files of it. No IO."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from mirrorhub.cli.naming import parse_name
from mirrorhub.cli.source import given
from mirrorhub.errors import ResolutionError
from mirrorhub.models import Snapshot

PATTERNS = ("allow_patterns", "ignore_patterns")


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be brought.

    Attributes:
        repo_id: As `fetch` takes it.
        names: Files named exactly.
        paths: The same where nothing else is wanted; None where patterns say what is.
        options: As `fetch` takes them.
        ignored: The patterns say nothing beside files that are named.
    """

    repo_id: str
    names: tuple[str, ...]
    paths: tuple[str, ...] | None
    options: dict[str, Any]
    ignored: bool = False

    def check(self, snapshot: Snapshot) -> None:
        """See that every file that was named is there.

        Raises:
            ResolutionError: One is not.
        """
        if missing := sorted(set(self.names) - set(snapshot.files)):
            manifest = snapshot.manifest
            raise ResolutionError(f"{manifest.repo}@{manifest.revision} has no file {missing[0]!r}.")


def order_for(repo_id: str | None, files: Sequence[str], options: dict[str, Any]) -> Order:
    """Read the arguments.

    Raises:
        click.UsageError: They do not go together.
        ConfigError: The repository's address means none.
    """
    repo_id, files = _repo(repo_id, files, options)
    named = parse_name(repo_id)
    if named.is_typed and options["repo_type"]:
        raise click.UsageError(f"{repo_id} says of which type it is: --repo-type cannot stand beside it.")
    if named.revision and options["revision"]:
        raise click.UsageError(f"{repo_id} names a revision: --revision cannot stand beside it.")
    if named.path and files:
        raise click.UsageError(f"{repo_id} names a path: FILES cannot stand beside it.")
    options["revision"] = named.revision or options["revision"]
    is_huggingface = named.repo.startswith(("hf://", "huggingface:")) or options["hub"] == "huggingface"
    if is_huggingface and options["local_dir"] and options["cache_dir"]:
        raise click.UsageError("--local-dir puts the files beside every cache: --cache-dir cannot stand beside it.")
    return _wanted(named.repo, [named.path] if named.path else list(files), options)


def _repo(repo_id: str | None, files: Sequence[str], options: dict[str, Any]) -> tuple[str, Sequence[str]]:
    """Read modelscope's old options; where one names the repository, what stands first is a file."""
    model, dataset = options.pop("model"), options.pop("dataset")
    if model and dataset:
        raise click.UsageError("--model and --dataset name one repository each: only one can be given.")
    if old := model or dataset:
        kind = "model" if model else "dataset"
        if options["repo_type"] not in (None, kind):
            raise click.UsageError(
                f"--{kind} says of which type it is: --repo-type {options['repo_type']} does not fit."
            )
        options["repo_type"] = kind
        return old, (repo_id, *files) if repo_id else files
    if not repo_id:
        raise click.UsageError("Missing argument 'REPO_ID'.")
    if any(options[name] for name in PATTERNS) and set(repo_id) & set("*?["):
        raise click.UsageError(f"{repo_id} is a pattern: put the repository first, owner/name --include ...")
    return repo_id, files


def _wanted(repo_id: str, files: Sequence[str], options: dict[str, Any]) -> Order:
    folders = [file for file in files if file.endswith("/")]
    names = tuple(file for file in files if not file.endswith("/"))
    patterns = [name for name in PATTERNS if options[name]]
    if folders and patterns:
        raise click.UsageError(f"{folders[0]} is a folder: with patterns, write it as one, --include '{folders[0]}*'.")
    if not folders:
        return Order(repo_id, names, names or None, given(options), ignored=bool(names and patterns))
    options["allow_patterns"] = (*map(_pattern, names), *(f"{_pattern(one.rstrip('/'))}/*" for one in folders))
    return Order(repo_id, names, None, given(options))


def _pattern(name: str) -> str:
    """Write a pattern for a name; modelscope divides patterns at commas, so that any character stands for one."""
    return glob.escape(name).replace(",", "?")
