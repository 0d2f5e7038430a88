"""What fingers know from `modelscope download` and `hf download`, spelt as this command line reads it. No IO.

modelscope's parser takes several values behind one `--include`, and writes underscores in old options; click takes one
value and writes hyphens. Both are read, with the meaning that each has there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import click

WHOLE = "a snapshot is published whole or not at all; what has come stays on disk, and the same command goes on there"
REFUSED = {
    "--continue-on-error": WHOLE,
    "--retry-failed": WHOLE,
    "--tracker-path": "nothing is tracked in a file of its own: `mirrorhub why` tells what came and what did not",
    "--collection": "a collection holds skills, which are archives and no repositories",
}
"""Options of `modelscope download` that are not taken, and why."""
MANY = ("--include", "--exclude")
NAMES = ("--model", "--dataset")


class SpeltCommand(click.Command):
    """A command that reads the SDKs' spellings of its options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Respell the arguments, and parse them.

        Raises:
            click.UsageError: One of them is not taken.
        """
        options = [option for option in self.get_params(ctx) if isinstance(option, click.Option)]
        valued = {name for option in options if not option.is_flag for name in option.opts}
        return super().parse_args(ctx, respell(args, valued))


@dataclass(frozen=True, slots=True)
class Word:
    """An option with the values that may belong to it, or, without one, an argument."""

    option: str = ""
    values: list[str] = field(default_factory=list)


def respell(arguments: Sequence[str], valued: Collection[str]) -> list[str]:
    """Write arguments as click reads them.

    Args:
        arguments: As they were typed.
        valued: The options that take a value.

    Raises:
        click.UsageError: An option is not taken.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    words = list(_words(arguments[:end], valued))
    # Where nothing else names the repository, the value behind the first one does: so click reads it.
    is_named = end < len(arguments) or any(not word.option or word.option in NAMES for word in words)
    spelt = [part for word in words for part in _spelt(word, many=is_named)]
    return [*spelt, *arguments[end:]]


def _words(arguments: Sequence[str], valued: Collection[str]) -> Iterable[Word]:
    left = list(arguments)
    while left:
        first = left.pop(0)
        if not first.startswith("-") or first == "-":
            yield Word(values=[first])
            continue
        option = _hyphened(first)
        if (name := option.partition("=")[0]) in REFUSED:
            raise click.UsageError(f"{name} is not taken: {REFUSED[name]}.")
        count = _count(left) if option in MANY else 1 if option in valued else 0
        if option in MANY and not count:
            # Otherwise everything would come.
            raise click.UsageError(f"Option '{option}' requires an argument: a pattern, in quotes.")
        yield Word(option, left[:count])
        del left[:count]


def _count(left: Sequence[str]) -> int:
    """How many values stand before the next option."""
    return next((number for number, one in enumerate(left) if one.startswith("-")), len(left))


def _hyphened(option: str) -> str:
    name, sign, value = option.partition("=")
    return f"{name.replace('_', '-')}{sign}{value}" if name.startswith("--") else option


def _spelt(word: Word, *, many: bool) -> list[str]:
    if word.option not in MANY:
        return [word.option, *word.values] if word.option else word.values
    patterns = word.values if many else word.values[:1]
    return [part for value in patterns for part in (word.option, value)] + word.values[len(patterns) :]
