"""Say which parameters the installed SDKs have that we do not know, and which of ours they have no more.

    python -m benchmarks.signatures

A parameter that we do not know is accepted all the same, and a WARNING says that it has no effect. Exit code 0 always:
a new release of an SDK is news, and no failure.
"""

from __future__ import annotations

from importlib import import_module, metadata

from mirrorhub.faces import hf, ms
from mirrorhub.faces.signatures import Function, Part, unknown_parameters


def news(functions: dict[str, tuple[Function, Part]]) -> list[str]:
    """Return a line for every parameter that is new or gone."""
    lines = []
    for name, (theirs, part) in functions.items():
        new, gone = unknown_parameters(theirs, part)
        lines += [f"{name}: {parameter} is new: not known to mirrorhub" for parameter in new]
        lines += [f"{name}: {parameter} is gone: TypeError, as from the SDK" for parameter in gone]
    return lines


def installed() -> dict[str, tuple[Function, Part]]:
    """Return the functions of the installed SDKs, and what stands behind ours."""
    theirs = import_module("huggingface_hub")
    found = {f"huggingface_hub.{name}": (getattr(theirs, name), part) for name, part in hf.PARTS.items()}
    theirs = import_module("modelscope")
    return found | {f"modelscope.{name}": (getattr(theirs, name), part) for name, part in ms.PARTS.items()}


def main() -> None:
    for package in ("huggingface_hub", "modelscope", "modelscope_hub"):
        print(package, metadata.version(package))
    print("\n".join(news(installed()) or ["every parameter is known, and none is gone"]))


if __name__ == "__main__":
    main()
