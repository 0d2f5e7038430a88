"""Errors that are ours and the SDK's: `except` around the SDK's function catches them, and so does ours."""

from __future__ import annotations

from mirrorhub.errors import MirrorHubError


def joined(ours: MirrorHubError, theirs: BaseException) -> BaseException:
    """Return an error of both classes, with our message and the attributes of both.

    Args:
        ours: What happened.
        theirs: What the SDK would have raised.
    """
    if isinstance(ours, type(theirs)):
        return ours
    both = _CLASSES.get((type(ours), type(theirs))) or _class_of_both(type(ours), type(theirs))
    # Of all classes here only OSError has a layout of its own.
    made_by = OSError if issubclass(both, OSError) else Exception
    error = made_by.__new__(both, str(ours))
    error.args = (str(ours),)
    error.__dict__.update({**vars(theirs), **vars(ours), "_made_of": (ours, theirs)})
    return error


_CLASSES: dict[tuple[type, type], type[BaseException]] = {}


def _class_of_both(ours: type[BaseException], theirs: type[BaseException]) -> type[BaseException]:
    """Make a class that goes by the SDK's name."""
    own = {"__module__": theirs.__module__, "__doc__": theirs.__doc__, "__str__": _text, "__reduce_ex__": _reduced}
    return _CLASSES.setdefault((ours, theirs), type(theirs.__name__, (ours, theirs), own))


def _text(error: BaseException) -> str:
    return str(error.args[0])


def _reduced(error: BaseException, _protocol: object) -> tuple[object, tuple[object, ...]]:
    """Let it be pickled: no module holds the class."""
    return joined, error.__dict__["_made_of"]
