"""The versions of the SDKs, each in a virtual environment of its own, made once and kept."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sdk:
    """A version of an SDK.

    Attributes:
        name: Which SDK.
        version: What it is called here.
        needs: What pip is asked for.
        reads_ours: It looks where mirrorhub writes.
        data_sets: It has a function for data sets.
    """

    name: str
    version: str
    needs: tuple[str, ...]
    reads_ours: bool = True
    data_sets: bool = True

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


SDKS = (
    Sdk("modelscope", "1.15.0", ("modelscope==1.15.0", "setuptools<81"), reads_ours=False, data_sets=False),
    Sdk("modelscope", "1.22.3", ("modelscope==1.22.3", "setuptools<81"), reads_ours=False),
    Sdk("modelscope", "1.37.1", ("modelscope==1.37.1",), reads_ours=False),
    Sdk("modelscope", "1.38.1", ("modelscope==1.38.1",)),
    Sdk("modelscope", "1.40.2", ("modelscope==1.40.2",)),
    Sdk("huggingface_hub", "0.36", ("huggingface_hub>=0.36,<0.37",)),
    Sdk("huggingface_hub", "1.x", ("huggingface_hub>=1,<2",)),
    Sdk("huggingface_hub", "2.4.0", ("huggingface_hub==2.4.0",)),
)


def python_of(sdk: Sdk, above: Path) -> Path:
    """Return the interpreter of an SDK's environment, which is made where there is none.

    Args:
        sdk: Which.
        above: Where the environments are kept.
    """
    folder = above / f"{sdk.name}-{sdk.version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "whole").exists():
        # Without a link to this interpreter's own environment.
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=os.name != "nt").create(folder)
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *sdk.needs]
        subprocess.run(command, check=True, timeout=900, stderr=subprocess.DEVNULL)
        (folder / "whole").touch()
    return python


def here() -> Path:
    """Return the interpreter that mirrorhub runs in."""
    return Path(sys.executable)
