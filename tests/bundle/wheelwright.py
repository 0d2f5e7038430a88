"""Wheels with nothing in them but a name and what they need."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    needs: Sequence[str] = (),
    tag: str = "py3-none-any",
    python: str = ">=3.8",
) -> Path:
    """Write a wheel; its module is called as the package."""
    stem = f"{name.replace('-', '_')}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{tag}.whl"
    extras = sorted({need.split("extra == ")[1].strip("\"' ") for need in needs if "extra == " in need})
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"]
    metadata += [f"Provides-Extra: {extra}\n" for extra in extras] + [f"Requires-Dist: {need}\n" for need in needs]
    members = {
        f"{name.replace('-', '_')}.py": "VALUE = 1\n",
        f"{stem}.dist-info/METADATA": "".join(metadata),
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = f"{stem}.dist-info/RECORD"
    members[record] = "".join(f"{member},,\n" for member in [*members, record])
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, (1980, 1, 1, 0, 0, 0)), text)
    return path
