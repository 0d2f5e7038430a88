"""What a download would bring, as a table, as names, or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mirrorhub.cli.cache_rows import print_rows, size_words
from mirrorhub.cli.table import Column

if TYPE_CHECKING:
    from mirrorhub.preview import Expected, Preview

_COLUMNS = (Column("File", is_text=True), Column("Size"), Column("State", is_text=True))


def print_preview(preview: Preview, *, as_json: bool, quiet: bool) -> None:
    """Say which files would come, and which are there."""
    if as_json:
        click.echo(json.dumps(_as_json(preview), ensure_ascii=False, indent=2))
    elif quiet:
        for one in preview.files:
            if one.comes:
                click.echo(one.entry.path)
    else:
        print_rows(_COLUMNS, [_row(one) for one in preview.files])
        click.echo(_summary(preview))


def _row(one: Expected) -> tuple[str, str, str]:
    return one.entry.path, _size(one.entry.size), "would come" if one.comes else "on disk"


def _summary(preview: Preview) -> str:
    count = sum(one.comes for one in preview.files)
    return (
        f"dry run: {count} of {len(preview.files)} files would come, {_size(preview.size)}, to {preview.path}; "
        f"vouched for by: {preview.manifest.vouched_by}"
    )


def _size(size: int | None) -> str:
    return "of unknown size" if size is None else size_words(size)


def _as_json(preview: Preview) -> dict[str, object]:
    files = [
        {
            "path": one.entry.path,
            "size": one.entry.size,
            "cached": one.cached,
            "comes": one.comes,
            "place": str(one.place),
        }
        for one in preview.files
    ]
    return {
        "path": str(preview.path),
        "commit": preview.manifest.commit,
        "vouched_by": str(preview.manifest.vouched_by),
        "size": preview.size,
        "files": files,
    }
