"""Mirror-aware model resolution: the model is there the first time.

fetch("org/model", allow_patterns="*.onnx")
1 SnapshotRequest   the arguments, checked and normalised                                    arguments
2 Settings          arguments > MIRRORHUB_* > the SDKs' variables > config file > defaults   config
3 Chain             the endpoints for this request, in order                                 endpoints, chain
4 Manifest          every file's path, size and digest, and who vouched for it               resolver, hubs
5 Plan              what must be fetched: the manifest less what the store holds             planning, stores
6 TransferReport*   one per file: from where, how long, how many tries                       transfer, intake
7 Snapshot          published                                                                publication, stores

All of it is told in about fifteen lines                                                     snapshot
4 and 6 walk the chain: retry and fallback live there and nowhere else                       walk, race, verdicts
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from mirrorhub import errors
    from mirrorhub.api import (
        afetch,
        afile_download,
        aload_vad,
        aresolve,
        asnapshot_download,
        fetch,
        file_download,
        load_vad,
        resolve,
        snapshot_download,
    )
    from mirrorhub.config import Settings
    from mirrorhub.loop import close
    from mirrorhub.models import Endpoint, Manifest, Snapshot
    from mirrorhub.routing.installation import install, uninstall
    from mirrorhub.vad import Segment

# Imported when first used: `import mirrorhub` must cost next to nothing (PEP 562).
_HOMES = {
    "afetch": "api",
    "afile_download": "api",
    "aload_vad": "api",
    "aresolve": "api",
    "asnapshot_download": "api",
    "fetch": "api",
    "file_download": "api",
    "load_vad": "api",
    "resolve": "api",
    "snapshot_download": "api",
    "Settings": "config",
    "install": "routing.installation",
    "uninstall": "routing.installation",
    "close": "loop",
    "Endpoint": "models",
    "Manifest": "models",
    "Snapshot": "models",
    "Segment": "vad",
}

__all__ = [
    "Endpoint",
    "Manifest",
    "Segment",
    "Settings",
    "Snapshot",
    "afetch",
    "afile_download",
    "aload_vad",
    "aresolve",
    "asnapshot_download",
    "close",
    "errors",
    "fetch",
    "file_download",
    "install",
    "load_vad",
    "resolve",
    "snapshot_download",
    "uninstall",
]


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module("mirrorhub.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'mirrorhub' has no attribute {name!r}")
    value = getattr(import_module(f"mirrorhub.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
