"""An SDK's function, answered by us: with the signature of the version that is installed, whatever version that is."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)
Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Given:
    """What a function of an SDK was called with.

    Attributes:
        values: Every parameter that the installed version has, defaults filled in.
        spoken: Those that the caller has named.
        theirs: The SDK's own function.
    """

    values: Mapping[str, Any]
    spoken: Mapping[str, Any]
    theirs: Function

    def __getitem__(self, name: str) -> Any:
        """Return a value, or None where the installed version has no such parameter."""
        return self.values.get(name)

    def to_theirs(self, **changed: Any) -> Any:
        """Call the SDK's own function with the same arguments, some of them changed where it knows them."""
        known = {name: value for name, value in changed.items() if name in self.values}
        return self.theirs(**{**self.spoken, **known})


@dataclass(frozen=True, slots=True)
class Part:
    """What stands behind a function: our answer, and the parameters that it knows what to do with."""

    answer: Callable[[Given], Any]
    known: frozenset[str]


def spoken_by_us(theirs: Function, part: Part, module: str, checked: Callable[[Function], Function]) -> Function:
    """Return a function that looks like the SDK's, and is answered by us.

    Args:
        theirs: The SDK's function.
        part: What stands behind it.
        module: Where the function is said to live.
        checked: The SDK's own decorator, which checks arguments and warns of old ones.
    """
    signature = inspect.signature(theirs)

    def ours(*args: Any, **kwargs: Any) -> Any:
        return part.answer(_given(theirs, signature, part, args, kwargs))

    _dress(ours, theirs, signature, module)
    return _dress(checked(ours), theirs, signature, module)


def unknown_parameters(theirs: Function, part: Part) -> tuple[list[str], list[str]]:
    """Return the parameters of an installed function that we do not know, and those of ours that it has no more."""
    there = set(inspect.signature(theirs).parameters)
    return sorted(there - part.known), sorted(part.known - there)


def _dress(ours: Function, theirs: Function, signature: inspect.Signature, module: str) -> Function:
    functools.update_wrapper(ours, theirs, assigned=("__name__", "__qualname__", "__doc__"), updated=())
    # Whoever unwraps it must not arrive at the SDK's own function.
    del ours.__dict__["__wrapped__"]
    ours.__dict__["__signature__"] = signature
    ours.__module__ = module
    return ours


def _given(
    theirs: Function, signature: inspect.Signature, part: Part, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Given:
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{theirs.__name__}() {error}") from None
    spoken = dict(bound.arguments)
    for name, value in spoken.items():
        if name not in part.known and value != signature.parameters[name].default:
            log.warning("%s(%s=...) has no effect in mirrorhub, which does not know it", theirs.__name__, name)
    bound.apply_defaults()
    return Given(dict(bound.arguments), spoken, theirs)
