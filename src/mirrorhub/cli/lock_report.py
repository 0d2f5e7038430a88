"""What `mirrorhub lock` says: of each repository a line, and below it one per file that differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mirrorhub.lockfile import LockedRepo
    from mirrorhub.lockfile.checking import Checked

Differing = Sequence[tuple[str, Sequence[str]]]


def say_locked(entries: Iterable[LockedRepo], place: Path) -> None:
    """Say what was written, and where."""
    for entry in entries:
        digits = f" ({entry.commit[:7]})" if entry.commit else ""
        count = len(entry.files)
        files = f"{count} file{'' if count == 1 else 's'}, {entry.size:,} bytes"
        click.echo(f"locked {shown(str(entry))}{digits}: {files}; vouched for by {entry.vouched_by}")
    click.echo(str(place))


def say_changes(name: str, lines: Sequence[str]) -> None:
    """Say what differs."""
    click.echo(f"{shown(name)}:" if lines else f"{shown(name)}: as locked")
    for line in lines:
        click.echo(f"  {shown(line)}")


def say_checked(results: Iterable[Checked], *, offline: bool) -> None:
    """Say of each repository how it is."""
    for one in results:
        say_changes(str(one.entry), one.lines) if one.lines or not one.error else None
        if one.error is not None:
            click.echo(f"{shown(str(one.entry))}: could not be checked: {one.error}", err=True)
        if offline and one.missing:
            click.echo(
                f"  not on disk: {len(one.missing)} of {len(one.entry.files)} files, {shown(one.missing[0])} first"
            )


def checked_json(results: Iterable[Checked]) -> str:
    """Write the same for programs."""
    return json.dumps([_checked(one) for one in results], ensure_ascii=False, indent=2)


def changes_json(differing: Differing) -> str:
    """Write what differs for programs."""
    rows = [{"repository": name, "difference": list(lines)} for name, lines in differing]
    return json.dumps(rows, ensure_ascii=False, indent=2)


def locked_json(entries: Iterable[LockedRepo], place: Path) -> str:
    """Write what was locked for programs."""
    rows = [_locked(entry) for entry in entries]
    return json.dumps({"lockfile": str(place), "repositories": rows}, ensure_ascii=False, indent=2)


def shown(text: str) -> str:
    """Return words of the other end as they may be shown in a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _checked(one: Checked) -> dict[str, object]:
    return {
        "repository": str(one.entry.repo),
        "revision": one.entry.revision,
        "as_locked": not one.lines and one.error is None,
        "difference": list(one.difference.lines),
        "on_disk": list(one.disk),
        "missing_on_disk": list(one.missing),
        "error": str(one.error) if one.error else None,
    }


def _locked(entry: LockedRepo) -> dict[str, object]:
    return {
        "repository": str(entry.repo),
        "revision": entry.revision,
        "commit": entry.commit,
        "vouched_by": entry.vouched_by,
        "files": len(entry.files),
        "size": entry.size,
    }
