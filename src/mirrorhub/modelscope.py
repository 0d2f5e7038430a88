"""modelscope's functions, answered by the chain: change the import line, and nothing else.

    from mirrorhub.modelscope import model_file_download, snapshot_download

Signature, meaning, return value and errors are those of the version that is installed. Any other name of modelscope is
there, too, and is its own. So are the modules below: `mirrorhub.modelscope.hub.snapshot_download`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mirrorhub.faces.submodules import watch

if TYPE_CHECKING:
    from mirrorhub.faces.ms_types import (
        dataset_file_download,
        dataset_snapshot_download,
        model_file_download,
        snapshot_download,
    )

__all__ = ["dataset_file_download", "dataset_snapshot_download", "model_file_download", "snapshot_download"]


# To the import system it is a package without files: what lies below it is made as it is asked for.
__path__: list[str] = []
watch()


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name not in ("__version__", "__release_datetime__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in __all__:
        return getattr(import_module("modelscope"), name)
    from mirrorhub.faces.ms import face

    globals()[name] = ours = face(name)
    return ours


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *dir(import_module("modelscope"))})
