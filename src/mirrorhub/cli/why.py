"""`mirrorhub why`: how a model came, or why it did not, from the report that the call left."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from mirrorhub.cli.page import printable
from mirrorhub.cli.page_file import in_a_folder, write_page
from mirrorhub.cli.source import given
from mirrorhub.models import RepoType

if TYPE_CHECKING:
    from mirrorhub.report import Report

NOTHING = "no call is known that brought anything, or failed to. Bring a model with `mirrorhub download`."
NOTHING_OF = (
    "nothing is known of how {model} came: another program brought it, or nobody. Bring it with "
    "`mirrorhub download {model}`, or say where it is with --cache-dir, --local-dir or --hub."
)


@click.command(short_help="Tell how a model came, or why it did not.")
@click.argument("model", required=False)
@click.option("--revision", help="Branch, tag or commit; without it the one that came last.")
@click.option("--hub", type=click.Choice(["auto", "modelscope", "huggingface"]), default="auto")
@click.option("--repo-type", type=click.Choice(get_args(RepoType)), default="model")
@click.option("--cache-dir", type=click.Path(file_okay=False), help="The cache directory.")
@click.option("--local-dir", type=click.Path(file_okay=False), help="The folder it was put into instead.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=in_a_folder,
    help="Write a page that stands alone.",
)
@click.option("--lang", type=click.Choice(["en", "zh"]), help="The language; without it the environment's.")
def why(model: str | None, as_json: bool, page: Path | None, lang: str | None, **options: Any) -> int:
    """Tell how MODEL came to disk, or why it did not. Without MODEL: the last call that is known.

    Who vouched for it, which endpoint and host gave which bytes, what was waited for, what was lost to which fault.
    Tokens, logins and signed addresses are not in it, nor your home directory: it may be attached to a bug report.
    """
    from mirrorhub.api import why as reports_of

    reports = reports_of(model, **given(options))
    if not reports:
        click.echo(f"mirrorhub: {_nothing(model, lang)}", err=True)
        return 4
    if page is not None:
        _write(page, reports, lang)
    if as_json:
        record = {"reports": [asdict(report) for report in reports]}
        click.echo(json.dumps(record, indent=2))  # in ASCII: servers name files and hosts
    elif page is None:
        _print(reports, lang)
    return 0


def _print(reports: tuple[Report, ...], lang: str | None) -> None:
    from mirrorhub.cli.why_text import print_report
    from mirrorhub.cli.why_words import language_of, words_in

    for number, report in enumerate(reports):
        if number:
            click.echo()
        print_report(report, words_in(lang or language_of()))


def _write(page: Path, reports: tuple[Report, ...], lang: str | None) -> None:
    from mirrorhub.cli.why_page import page_of
    from mirrorhub.cli.why_words import language_of

    write_page(page, page_of(reports, lang or language_of()))


def _nothing(model: str | None, lang: str | None) -> str:
    from mirrorhub.cli.why_words import language_of, words_in

    words = words_in(lang or language_of())
    return words(NOTHING) if model is None else words(NOTHING_OF).format(model=printable(model))
