"""`--token -`: a token that is read from standard input; on the command line everybody on the machine sees it."""

from __future__ import annotations

import sys

import click

from mirrorhub.secret import Secret

FROM_INPUT = "-"


def given_token(context: click.Context, option: click.Parameter, given: str | None) -> Secret | None:
    """Return the token that was given; `-` stands for one line of standard input.

    Raises:
        BadParameter: There is none.
    """
    if given != FROM_INPUT:
        return None if given is None else Secret(given)
    # A shell that completes the line must not wait for one.
    line = "" if context.resilient_parsing else _line()
    if not line and not context.resilient_parsing:
        raise click.BadParameter("standard input has no token in its first line", context, option)
    return Secret(line) if line else None


def _line() -> str:
    if sys.stdin is None:  # closed by whoever started us
        return ""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()
