"""The file that a page is written to."""

from __future__ import annotations

from pathlib import Path

import click

from mirrorhub.errors import ConfigError


def in_a_folder(context: click.Context, option: click.Parameter, page: Path | None) -> Path | None:
    """Refuse a page in a folder that is not there: now, and not when all the work has been done.

    Raises:
        click.BadParameter: There is no such folder.
    """
    if page is not None and not (folder := page.absolute().parent).is_dir():
        raise click.BadParameter(f"{folder} is a file, and no folder." if folder.exists() else _missing(folder))
    return page


def _missing(folder: Path) -> str:
    return f"the folder {folder} does not exist."


def write_page(page: Path, text: str) -> None:
    """Write a page, and say where it is.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--html {page}: cannot be written: {error.strerror}") from None
    click.echo(f"page: {page.absolute()}", err=True)
