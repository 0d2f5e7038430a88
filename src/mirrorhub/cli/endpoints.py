"""`mirrorhub endpoints`: who would be asked now and why, a look at each of them, and how to forget it all."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mirrorhub.cli.source import given
from mirrorhub.http.redact import redact

if TYPE_CHECKING:
    from mirrorhub.bench.outlook import Outlook
    from mirrorhub.health.memory import Memory

SHOW = "show"


class Unnamed(click.Context):
    """The context of a command that is run without its name, and shows itself so."""

    @property
    def command_path(self) -> str:
        """The name of the group."""
        return self.parent.command_path if self.parent else super().command_path


class Show(click.Command):
    """What a group shows where no command is given."""

    context_class = Unnamed


class Shown(click.Group):
    """A group that shows where no command is given, so that MODEL can follow at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` in front of what is no command.

        Raises:
            UsageError: It is nearly one.
        """
        if args and "/" not in args[0] and args[0] not in self.commands:
            for name in difflib.get_close_matches(args[0], self.commands, n=1, cutoff=0.8):
                ctx.fail(f"No such command {args[0]!r}. Did you mean {name!r}?")
        return super().parse_args(ctx, args if args and args[0] in self.commands else [SHOW, *args])


@click.group(cls=Shown, short_help="Who would be asked now, and why; --probe looks, reset forgets.")
def endpoints() -> None:
    """Show the endpoints that a download would ask, in order."""


@endpoints.command(SHOW, cls=Show, epilog="`mirrorhub endpoints reset [ENDPOINT]...` forgets what is remembered.")
@click.argument("model", required=False)
@click.option("--revision", help="Branch, tag or commit; matters only to --probe.")
@click.option(
    "--hub",
    type=click.Choice(["auto", "modelscope", "huggingface"]),
    default="auto",
    help="Whose protocol MODEL and plain addresses mean.",
)
@click.option("--endpoint", "endpoints", multiple=True, help="An endpoint of the chain, in order; repeatable.")
@click.option("--trust", type=click.Choice(["lock", "official", "auto", "any"]), help="Who is believed.")
@click.option("--probe", is_flag=True, help="Ask each for its listing now, all at once; what it finds is remembered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(model: str | None, probe: bool, as_json: bool, **options: Any) -> int:
    """Show in which order the endpoints that MODEL could come from would be asked now, and why.

    What earlier calls have found is remembered, and fades: what is an hour old counts half.
    Without MODEL: FSMN-VAD.
    """
    from mirrorhub.api import FSMN_VAD, outlook

    found = outlook(model or FSMN_VAD, probe=probe, **given(options))
    if as_json:
        click.echo(json.dumps([record_of(one) for one in found], indent=2))  # in ASCII: servers name hosts
    else:
        from mirrorhub.cli.endpoints_table import print_outlook

        print_outlook(model or FSMN_VAD, found)
    return 0 if any(map(_answers, found)) or not probe else 1


@endpoints.command()
@click.argument("addresses", metavar="[ENDPOINT]...", nargs=-1)
def reset(addresses: tuple[str, ...]) -> int:
    """Forget what is remembered of each ENDPOINT and of the hosts it redirects to; without any, everything."""
    from mirrorhub.api import forget, is_remembered

    known = [address for address in addresses if is_remembered(address)]
    if not forget(*addresses):
        click.echo(
            "Nothing was forgotten: the state directory that `mirrorhub config` names cannot be written.", err=True
        )
        return 1
    if known or not addresses:
        click.echo(f"Forgotten: {', '.join(map(redact, known)) or 'everything'}.")
    if unknown := [address for address in addresses if address not in known]:
        click.echo(f"Nothing was known of {', '.join(map(redact, unknown))}.")
    return 0


def record_of(one: Outlook) -> dict[str, object]:
    """Write what is to be expected of an endpoint as plain values."""
    place = one.place
    return {
        "endpoint": str(one.endpoint),
        "hub": one.endpoint.hub,
        "can": sorted(one.endpoint.can),
        "auth": one.endpoint.auth,
        "token_variable": one.endpoint.token_variable,
        "official": one.endpoint.official,
        "bytes": one.pulls,
        "listing": one.asks,
        "grade": place.grade.name.lower(),
        "why": place.why,
        "gone": place.is_gone,
        "remembered": _remembered(place.memory),
        "hosts": [{"origin": origin, **_remembered(memory)} for origin, memory in place.hosts],
        "probe": None if one.found is None else asdict(one.found),
    }


def _remembered(memory: Memory) -> dict[str, object]:
    return {
        "connect_s": memory.connect.mean or None,
        "first_byte_s": memory.first_byte.mean or None,
        "bytes_per_s": memory.bytes_per_s or None,
        "faults": dict(memory.faults),
        "takes_range": memory.takes_range,
        "heard_at": memory.heard_at or None,
        "failed_at": memory.failed_at or None,
        "gone_at": memory.gone_at or None,
    }


def _answers(one: Outlook) -> bool:
    """Whether it was looked at, and is well."""
    return one.found is not None and not one.found.troubles
