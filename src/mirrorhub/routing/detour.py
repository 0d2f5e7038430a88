"""Lead a function elsewhere, in place, and back: whoever holds it, under whatever name, is led along.

The function stays the object it is and only its code is exchanged. So it does not matter who imported it from where, or
keeps it in a partial, a class or a closure; its name, signature, documentation and pickled form remain; and once the
code is put back, nothing is left (docs/decisions/0010-install.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

Call = Callable[..., Any]
_ROUTE = "_mirrorhub_route"


class Detour:
    """One function that is led elsewhere from `open` to `close`. Neither matters when done twice.

    Attributes:
        original: Does what the function itself does, whether or not it is led elsewhere.
    """

    def __init__(self, function: FunctionType, route: Call) -> None:
        """Begin with the function as it is.

        Args:
            function: One that `innermost` has given.
            route: Called with the original, and then with what the function was called with.
        """
        self._function = function
        self._route = route
        self._code = self._function.__code__
        self._defaults = self._function.__kwdefaults__
        self._is_plain = not hasattr(self._function, "__wrapped__")
        self.original = _copy(self._function)

    def leads(self, function: FunctionType) -> bool:
        """Whether it is this function that is led; while it is, `innermost` goes on to the original."""
        return function in (self._function, self.original)

    def open(self) -> None:
        """Lead the function elsewhere from the next call on."""
        function = self._function
        if self._is_plain:
            function.__dict__["__wrapped__"] = self.original  # for inspect: signature and source are the original's
        # First the route, which the old code does not look at, and then the code: another thread may call in between.
        function.__kwdefaults__ = {**(self._defaults or {}), _ROUTE: functools.partial(self._route, self.original)}
        code = _led_elsewhere.__code__
        function.__code__ = code.replace(co_freevars=self._code.co_freevars, co_name=self._code.co_name)

    def close(self) -> None:
        """Let the function do again what it did."""
        function = self._function
        function.__code__ = self._code
        function.__kwdefaults__ = self._defaults
        if self._is_plain:
            function.__dict__.pop("__wrapped__", None)


def innermost(function: object) -> FunctionType | None:
    """Return the function below all decorators, so that what these check and warn of stays; None if it is not Python's.

    Not inspect.unwrap: that module is large, and every Python that a program starts comes by here.
    """
    while (inner := getattr(function, "__wrapped__", None)) is not None:
        function = inner
    return function if isinstance(function, FunctionType) else None


def _led_elsewhere(*args: Any, _mirrorhub_route: Call, **kwargs: Any) -> Any:
    """Stand in for a function's code; no name of a module is used here, since it runs among the names of another."""
    return _mirrorhub_route(*args, **kwargs)


def _copy(function: FunctionType) -> FunctionType:
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(copy, function)
    # Set by update_wrapper; whoever unwraps the function must end at this copy, and not go round.
    copy.__dict__.pop("__wrapped__", None)
    return copy
