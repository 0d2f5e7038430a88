"""The rows of modelscope's four functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fakehub.faults import Status
from tests.parity.case import LEFT_OUT, Case
from tests.parity.scene import LATER, Scene

Step = Callable[[Scene], Any]
COMMON = {"cache_dir": "{root}/cache", "endpoint": "{hub}"}
BASE: dict[str, dict[str, Any]] = {
    "snapshot_download": {**COMMON, "model_id": "org/name"},
    "dataset_snapshot_download": {**COMMON, "dataset_id": "org/data"},
    "model_file_download": {**COMMON, "model_id": "org/un.tagged", "file_path": "config.json"},
    "dataset_file_download": {**COMMON, "dataset_id": "org/data", "file_path": "data/test.csv"},
}
IDS = {name: "dataset_id" if name.startswith("dataset") else "model_id" for name in BASE}
OFFLINE = ("snapshot_download", "model_file_download", "dataset_file_download")
SNAPSHOTS = ("snapshot_download", "dataset_snapshot_download")
FILES = ("model_file_download", "dataset_file_download")


def stop(stage: Scene) -> None:
    """Let the server be gone."""
    stage.hub.stop()


def move(stage: Scene) -> None:
    """Let the branches move."""
    for repo in stage.hub.site.repos:
        repo.commit(LATER)


def did(function: str, **more: Any) -> Step:
    """Make a call of the same side first."""
    return lambda stage: stage.call(function, **{**BASE[function], **more})


def lay(*places: str) -> Step:
    """Lay files where an older version kept them, one of them complete and one damaged."""

    def step(stage: Scene) -> None:
        for place in places:
            folder = stage.root / "cache" / place
            folder.mkdir(parents=True)
            repo = stage.repo()
            (folder / "README.md").write_bytes(repo.files["README.md"].data)
            (folder / "config.json").write_bytes(b"old")

    return step


class Callback:
    """A callback class of the caller's own, as modelscope makes one for each file."""

    def __init__(self, filename: str, file_size: int) -> None:
        self.filename = filename
        self.file_size = file_size

    def update(self, size: int) -> None:
        """Hear of bytes."""

    def end(self) -> None:
        """Leave a trace that both sides leave."""
        Path(f"heard-{Path(self.filename).name}-{self.file_size}").touch()


def rows() -> Iterator[Case]:
    """Yield every row."""
    for function in BASE:
        yield from _of_all(function)
    for function in SNAPSHOTS:
        yield from _of_snapshots(function)
    yield from _of_models()
    for function in FILES:
        yield from _of_files(function)


def _row(function: str, parameter: str, value: str, *before: Step, args: tuple[Any, ...] = (), **given: Any) -> Case:
    quick = given.pop("quick", False)
    every = {**BASE[function], **given}
    return Case("modelscope", function, parameter, value, every, args, before, quick)


def _of_all(function: str) -> Iterator[Case]:
    done, name = did(function), IDS[function]

    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row(function, parameter, value, *before, **given)

    yield row(name, "owner/name")
    yield row(name, "again", done, quick=True)
    yield row(name, "none", quick=True, **{name: "org/none"})
    yield row(name, "no owner", **{name: "name"})
    yield row(name, "three parts", **{name: "a/b/c"})
    yield row(name, "None", **{name: None})
    yield (
        row(name, "with a dot", **{name: "org/un.tagged"})
        if name == "model_id"
        else row(name, "a model", **{name: "org/name"})
    )
    for revision in ("master", "v1.0", "feature/x", "none"):
        yield row("revision", revision, revision=revision, quick=revision == "none")
    yield row("revision", "commit", revision=lambda stage: stage.repo().head.id)
    yield row("revision", "empty", revision="")
    yield row("revision", "moved", done, move, quick=True)
    yield row("cache_dir", "path", cache_dir=Path("{root}/cache"))
    yield row("cache_dir", "relative", cache_dir="cache")
    yield row("cache_dir", "up and down", cache_dir="{root}/a/../cache")
    yield row("local_dir", "text", local_dir="{root}/local", quick=True)
    yield row("local_dir", "path", local_dir=Path("{root}/local"))
    yield row("local_dir", "relative", local_dir="./local/dir/")
    yield row("local_dir", "again", did(function, local_dir="local"), local_dir="local")
    yield row("local_dir", "moved", did(function, local_dir="local"), move, local_dir="local")
    yield row("cookies", "given", cookies={"a": "b"}, quick=True)
    for kind in ("private", "gated"):
        at = {name: f"org/{kind}"}
        yield row("token", f"{kind}: right", token="{token}", **at)
        yield row("token", f"{kind}: wrong", token="wrong", **at)
        yield row("token", f"{kind}: None", **at)
    yield row("endpoint", "with a slash", endpoint="{hub}/")
    yield row("endpoint", "dead, there", done, stop)
    if not function.startswith("dataset"):
        # Half a minute each: both sides try for a while.
        yield row("endpoint", "dead, nothing there", stop)
        yield row("endpoint", "503, nothing there", lambda stage: stage.hub.set_faults(Status(503)))
    for gone in ("mirror", "enable_file_lock"):
        yield row(gone, "given", **{gone: True})
    if function in OFFLINE:
        yield row("local_files_only", "nothing there", local_files_only=True)
        yield row("local_files_only", "there", done, local_files_only=True, quick=True)
        yield row("local_files_only", "another revision", done, local_files_only=True, revision="v1.0")
        yield row("local_files_only", "the only one there", did(function, revision="v1.0"), local_files_only=True)
        yield row("local_files_only", "local_dir", local_files_only=True, local_dir="local")
        yield row(
            "local_files_only",
            "local_dir, there",
            did(function, local_dir="local"),
            local_files_only=True,
            local_dir="local",
        )
        yield row("local_files_only", "None", local_files_only=None)
        yield row("user_agent", "text", user_agent="a/1; b/2")
        yield row("user_agent", "mapping", user_agent={"a": "1"})


def _of_snapshots(function: str) -> Iterator[Case]:
    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row(function, parameter, value, *before, **given)

    if function == "snapshot_download":
        patterns: list[Any] = ["*.json", ["*.json", "*.txt"], [], "", ",", "sub/", "sub", "SUB/*", "*.JSON", "nothing"]
        patterns += ["**/x.txt", "sub/*", "*.json,*.txt", [" *.md , *.txt"], ".*\\.json", ".*\\.bin$", "sub/.*", 5]
        patterns += ["模型/*", ("*.md",), "[cR]*", ["*.md", None]]
    else:
        patterns = ["*.csv", "data/", "data/*", [], "*.csv,*.txt", ".*\\.csv", "nothing"]
    quick = ("*.json,*.txt", "sub/", ".*\\.json")
    for pattern in patterns:
        for name in ("allow_patterns", "ignore_patterns", "allow_file_pattern", "ignore_file_pattern"):
            fast = name == "allow_patterns" and pattern in quick
            yield row(name, repr(pattern), quick=fast, **{name: pattern})
    yield row("allow_patterns", "beside allow_file_pattern", allow_patterns="*.md", allow_file_pattern="*.json")
    yield row("allow_patterns", "empty beside allow_file_pattern", allow_patterns=[], allow_file_pattern="*.json")
    yield row("ignore_patterns", "beside ignore_file_pattern", ignore_patterns="*.md", ignore_file_pattern="*.json")
    yield row("allow_patterns", "and ignore_patterns", allow_patterns="*.json", ignore_patterns=["sub/*"])
    yield row("allow_patterns", "more than before", did(function, allow_patterns="*.json"))
    for workers in (None, 1, 64):
        yield row("max_workers", str(workers), max_workers=workers)
    yield row("max_workers", "0", max_workers=0)
    yield row("repo_id", "alone", repo_id="org/data", **{IDS[function]: LEFT_OUT})
    yield row("repo_id", "beside the other", repo_id="org/un.tagged")


def _of_models() -> Iterator[Case]:
    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row("snapshot_download", parameter, value, *before, **given)

    bare = dict.fromkeys(BASE["snapshot_download"], LEFT_OUT)
    position = ("org/name", "v1.0", "{root}/cache", None, False, None, "*.md", "*.json,*.md")
    yield row("model_id", "by position", args=position, quick=True, **{**bare, "endpoint": "{hub}"})
    for kind in (None, "model", "models", ""):
        yield row("repo_type", repr(kind), repo_type=kind)
    for kind in ("dataset", "datasets"):
        yield row("repo_type", kind, repo_type=kind, model_id="org/data", quick=kind == "dataset")
    for kind in ("studio", "skill", "nope"):
        yield row("repo_type", kind, repo_type=kind)
    yield row("progress_callbacks", "a class", progress_callbacks=[Callback], quick=True)
    yield row("progress_callbacks", "none", progress_callbacks=[])
    yield row(
        "local_files_only", "a part there", did("snapshot_download", allow_patterns="*.md"), local_files_only=True
    )
    two = (did("snapshot_download", revision="v1.0"), did("snapshot_download", revision="v2.0"))
    yield row("local_files_only", "two, neither the default", *two, local_files_only=True)
    layouts = ["models/org/name", "hub/models/org/name", "org/name", "hub/org/name"]
    for layout in layouts:
        yield row("cache_dir", f"filled by an older version: {layout}", lay(layout), quick=layout == "org/name")
        yield row("local_files_only", f"an older version's: {layout}", lay(layout), local_files_only=True)
    both = (did("snapshot_download"), lay("models/org/name"))
    yield row("cache_dir", "an older version's beside", *both)


def _of_files(function: str) -> Iterator[Case]:
    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row(function, parameter, value, *before, **given)

    name = IDS[function]
    yield row("file_path", "none", file_path="none.txt", quick=True)
    yield row("file_path", "none, offline", did(function), file_path="none.txt", local_files_only=True)
    for path in ("../x", "sub/../config.json", "/etc/none", "sub", ""):
        yield row("file_path", repr(path), file_path=path)
    bare = dict.fromkeys(BASE[function], LEFT_OUT) | COMMON
    yield row("file_path", "by position", args=(BASE[function][name], BASE[function]["file_path"]), **bare)
    if function == "model_file_download":
        for path in (
            "sub/deep/x.txt",
            "sub/a b+c%20#.txt",
            "模型/说明.txt",
            "empty.txt",
            "model.bin",
            ".gitattributes",
        ):
            yield row("file_path", path, file_path=path)
        yield row("revision", "by position", args=("org/name", "config.json", "v1.0"), **bare)
        yield row(
            "file_path", "after a snapshot", did("snapshot_download", model_id="org/un.tagged"), file_path="README.md"
        )
