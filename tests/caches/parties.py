"""A program that does one thing with an SDK, or with mirrorhub, and says where the files are.

It runs in another process: in the SDK's own environment, and with variables that are read at import.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.fakehub import FakeHub

Kind = Literal["model", "dataset", "space"]

MODELSCOPE = """
import json, sys
wish = json.loads(sys.argv[1])
offline = {"local_files_only": True} if wish["offline"] else {}
place = {name: wish[name] for name in ("cache_dir", "local_dir") if wish[name]}
revision = {"revision": wish["revision"]} if wish["revision"] else {}
if wish["kind"] == "dataset" and not offline:
    try:
        from modelscope.hub.snapshot_download import dataset_snapshot_download as download
    except ImportError:
        from modelscope import dataset_snapshot_download as download
    path = download(wish["repo"], **revision, **place)
else:
    from modelscope.hub.snapshot_download import snapshot_download
    kind = {"repo_type": "dataset"} if wish["kind"] == "dataset" else {}
    path = snapshot_download(wish["repo"], **revision, **offline, **place, **kind)
print("FOUND " + json.dumps(str(path)))
"""
HUGGINGFACE = """
import json, os, sys
wish = json.loads(sys.argv[1])
from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache
place = {name: wish[name] for name in ("cache_dir", "local_dir") if wish[name]}
same = dict(repo_type=wish["kind"], revision=wish["revision"], local_files_only=wish["offline"], **place)
path = snapshot_download(wish["repo"], **same)
for name in wish["files"]:
    one = hf_hub_download(wish["repo"], name, **same)
    assert os.path.realpath(one) == os.path.realpath(os.path.join(path, name)), (one, path)
    if not wish["local_dir"] and not wish["cache_dir"]:
        assert try_to_load_from_cache(wish["repo"], name, repo_type=wish["kind"], revision=wish["revision"]) == one
print("FOUND " + json.dumps(str(path)))
"""
MIRRORHUB = """
import json, sys
import mirrorhub
wish = json.loads(sys.argv[1])
place = {name: wish[name] for name in ("cache_dir", "local_dir") if wish[name]}
same = dict(hub=wish["hub"], repo_type=wish["kind"], revision=wish["revision"], local_files_only=wish["offline"],
            endpoints=wish["endpoint"], **place)
path = mirrorhub.snapshot_download(wish["repo"], **same)
for name in wish["files"]:
    assert mirrorhub.file_download(wish["repo"], name, **same) == str(mirrorhub.fetch(wish["repo"], **same).path / name)
mirrorhub.close()
print("FOUND " + json.dumps(path))
"""
PROGRAMS = {"modelscope": MODELSCOPE, "huggingface_hub": HUGGINGFACE, "mirrorhub": MIRRORHUB}


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: the arguments of a call, whosever function it is."""

    hub: str
    repo: str
    kind: Kind = "model"
    revision: str | None = None
    offline: bool = False
    cache_dir: str = ""
    local_dir: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks.

    Attributes:
        name: The SDK, or mirrorhub.
        python: Its interpreter.
        home: The home directory, which all parties share.
        environment: Variables beside the usual ones.
    """

    name: str
    python: Path
    home: Path
    environment: tuple[tuple[str, str], ...] = ()

    def ask(self, hub: FakeHub, wish: Wish) -> Path:
        """Ask, and return where the files are.

        Raises:
            AssertionError: It raised something.
        """
        told = {field: getattr(wish, field) for field in Wish.__slots__} | {"endpoint": hub.url}
        command = [str(self.python), "-c", PROGRAMS[self.name], json.dumps(told)]
        done = subprocess.run(
            command, env=self._variables(hub), capture_output=True, text=True, timeout=120, check=False
        )
        found = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
        assert found, f"{self.name} {wish}:\n{done.stderr[-3000:]}"
        return Path(json.loads(found[-1].removeprefix("FOUND ")))

    def _variables(self, hub: FakeHub) -> dict[str, str]:
        foreign = ("MODELSCOPE_", "HF_", "MIRRORHUB_", "XDG_", "PYTEST_")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        authority = str(hub.ca_file)
        return {
            **ours,
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "MODELSCOPE_ENDPOINT": hub.url,
            "MODELSCOPE_DOMAIN": hub.url.partition("://")[2],
            "MODELSCOPE_CACHE": str(self.home / "ms"),
            "HF_ENDPOINT": hub.url,
            "HF_HUB_CACHE": str(self.home / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "SSL_CERT_FILE": authority,
            "REQUESTS_CA_BUNDLE": authority,
            **dict(self.environment),
        }
