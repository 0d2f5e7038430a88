"""The rows of huggingface_hub's two functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from tests.fakehub.faults import Status
from tests.parity.case import LEFT_OUT, Case
from tests.parity.scene import LATER, Scene

COMMON = {"repo_id": "org/name", "cache_dir": "{root}/cache", "endpoint": "{hub}"}
BASE: dict[str, dict[str, Any]] = {
    "snapshot_download": COMMON,
    "hf_hub_download": {**COMMON, "filename": "config.json"},
}
BOTH = ("snapshot_download", "hf_hub_download")
Step = Callable[[Scene], Any]


def stop(stage: Scene) -> None:
    """Let the server be gone."""
    stage.hub.stop()


def broken(stage: Scene) -> None:
    """Let the server answer 503 to everything."""
    stage.hub.set_faults(Status(503))


def move(stage: Scene) -> None:
    """Let the branch move."""
    stage.repo().commit(LATER)


def did(function: str, **more: Any) -> Step:
    """Make a call of the same side first."""
    return lambda stage: stage.call(function, **{**BASE[function], **more})


def resolved(stage: Scene) -> Any:
    """Return a revision that the SDK has resolved."""
    from huggingface_hub._revision import ResolvedRevision

    return ResolvedRevision(stage.older, "v1.0", "org/name")


class Quiet(tqdm):  # type: ignore[type-arg]
    """A bar of the caller's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "disable": True})


SNAPSHOT, FILE = did("snapshot_download"), did("hf_hub_download")


def rows() -> Iterator[Case]:
    """Yield every row."""
    for function in BOTH:
        yield from _of_both(function)
    yield from _of_snapshots()
    yield from _of_files()


def _row(function: str, parameter: str, value: str, *before: Step, **given: Any) -> Case:
    quick = given.pop("quick", False)
    every = {**BASE[function], **given}
    return Case("huggingface_hub", function, parameter, value, every, (), before, quick)


def _of_both(function: str) -> Iterator[Case]:
    done = did(function)

    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row(function, parameter, value, *before, **given)

    at = {"filename": "train.csv"} if function == "hf_hub_download" else {}
    space = {"filename": "app.py"} if function == "hf_hub_download" else {}
    yield row("repo_id", "owner/name")
    yield row("repo_id", "again", done, quick=True)
    yield row("repo_id", "name alone", repo_id="alone")
    yield row("repo_id", "none", repo_id="org/none", quick=True)
    for wrong in ("a/b/c", "a--b/c", "org/x.git", "org/a b", "x" * 97, "../x", "", "hf://org/name"):
        yield row("repo_id", repr(wrong[:12]), repo_id=wrong)
    yield row("repo_id", "a path", repo_id=Path("org/name"))
    for kind in (None, "model"):
        yield row("repo_type", repr(kind), repo_type=kind)
    yield row("repo_type", "dataset", repo_type="dataset", repo_id="org/data", **at)
    yield row("repo_type", "space", repo_type="space", repo_id="org/space", **space)
    yield row("repo_type", "kernel, none there", repo_type="kernel", repo_id="org/kernel")
    yield row("repo_type", "nope", repo_type="nope")
    yield row("repo_type", "dataset, none there", repo_type="dataset")
    for revision in ("main", "dev", "feature/x", "v1.0"):
        yield row("revision", revision, revision=revision)
    yield row("revision", "commit", revision=lambda stage: stage.older)
    yield row("revision", "commit, again", done, stop, revision=lambda stage: stage.commit)
    yield row("revision", "resolved", revision=resolved, quick=True)
    yield row("revision", "none", revision="none", quick=True)
    yield row("revision", "none, main cached", done, revision="none")
    yield row("revision", "another one cached", done, revision="v1.0")
    yield row("revision", "moved", done, move, quick=True)
    yield row("cache_dir", "path", cache_dir=Path("{root}/cache"))
    yield row("cache_dir", "relative", cache_dir="cache")
    yield row("cache_dir", "up and down", cache_dir="{root}/a/../cache")
    yield row("cache_dir", "a link", lambda stage: _link(stage.root), cache_dir="{root}/link")
    yield row("local_dir", "text", local_dir="{root}/local", quick=True)
    yield row("local_dir", "path", local_dir=Path("{root}/local"))
    yield row("local_dir", "relative", local_dir="local/dir")
    yield row("local_dir", "again", did(function, local_dir="{root}/local"), local_dir="{root}/local")
    yield row("local_dir", "moved", did(function, local_dir="{root}/local"), move, local_dir="{root}/local")
    yield row("local_dir", "cached", done, local_dir="{root}/local")
    yield row("local_dir", "offline", did(function, local_dir="{root}/local"), local_files_only=True, local_dir="local")
    yield row("local_dir", "offline, nothing there", local_files_only=True, local_dir="{root}/local")
    yield row("local_dir", "dead", did(function, local_dir="{root}/local"), stop, local_dir="{root}/local")
    yield row("library_name", "given", library_name="lib", library_version="1")
    yield row("library_version", "alone", library_version="1")
    yield row("user_agent", "text", user_agent="a/1; b/2")
    yield row("user_agent", "mapping", user_agent={"a": "1"})
    yield row("etag_timeout", "3", etag_timeout=3)
    yield row("force_download", "fresh", force_download=True)
    yield row("force_download", "again", done, force_download=True)
    yield row("force_download", "damaged", done, _damage, force_download=True)
    yield row("force_download", "offline", done, force_download=True, local_files_only=True)
    for kind, private in (("private", "org/private"), ("gated", "org/gated")):
        yield row("token", f"{kind}: right", repo_id=private, token="{token}", quick=True)
        yield row("token", f"{kind}: wrong", repo_id=private, token="wrong")
        yield row("token", f"{kind}: None", repo_id=private, token=None)
        yield row("token", f"{kind}: False", repo_id=private, token=False)
        yield row("token", f"{kind}: True, none stored", repo_id=private, token=True)
        yield row("token", f"{kind}: no more", did(function, repo_id=private, token="{token}"), repo_id=private)
    yield row("token", "empty", token="")
    yield row("headers", "a token of one's own", repo_id="org/private", headers={"Authorization": "Bearer {token}"})
    yield row("headers", "others", headers={"X-Own": "1"})
    yield row("local_files_only", "nothing there", local_files_only=True)
    yield row("local_files_only", "there", done, local_files_only=True)
    yield row("local_files_only", "another revision there", done, local_files_only=True, revision="v1.0")
    yield row("local_files_only", "commit", done, local_files_only=True, revision=lambda stage: stage.commit)
    yield row("local_files_only", "moved", done, move, local_files_only=True)
    yield row("tqdm_class", "own", tqdm_class=Quiet)
    yield row("endpoint", "with a slash", endpoint="{hub}/")
    yield row("endpoint", "dead, there", done, stop, quick=True)
    yield row("endpoint", "dead, nothing there", stop)
    yield row("endpoint", "503, there", done, broken)
    yield row("endpoint", "503, nothing there", broken)
    yield row("endpoint", "repository gone, there", done, lambda stage: stage.hub.site.repos.clear())
    yield row("dry_run", "fresh", dry_run=True)
    yield row("dry_run", "there", done, dry_run=True, quick=True)
    yield row("dry_run", "local_dir", dry_run=True, local_dir="{root}/local")
    yield row("dry_run", "local_dir, there", did(function, local_dir="local"), dry_run=True, local_dir="local")
    yield row("dry_run", "force_download", done, dry_run=True, force_download=True)
    yield row("dry_run", "none there", dry_run=True, repo_id="org/none")
    yield row("dry_run", "no revision", dry_run=True, revision="none")
    yield row("dry_run", "offline", done, dry_run=True, local_files_only=True)
    yield row("dry_run", "offline, nothing there", dry_run=True, local_files_only=True)
    for old in ("proxies", "resume_download", "force_filename", "local_dir_use_symlinks"):
        yield row(old, "given", **{old: "x"})
    for gone in ("use_auth_token", "legacy_cache_layout", "nope"):
        yield row(gone, "given", **{gone: True}, quick=gone == "nope")


def _of_snapshots() -> Iterator[Case]:
    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row("snapshot_download", parameter, value, *before, **given)

    patterns: list[Any] = ["*.json", ["*.json", "*.txt"], [], "", "sub/", "sub", "SUB/*", "*.JSON", "nothing", "sub\\*"]
    patterns += ["**/x.txt", "sub/*", ["sub/", "README.md"], "[cR]*", "*.json,*.txt", "模型/*", ("*.md",), "*%20#*"]
    for pattern in patterns:
        yield row("allow_patterns", repr(pattern), allow_patterns=pattern, quick=pattern in ("sub/", []))
        yield row("ignore_patterns", repr(pattern), ignore_patterns=pattern)
    yield row("allow_patterns", "paths", allow_patterns=[Path("sub/y.json")])
    yield row("allow_patterns", "and ignore_patterns", allow_patterns="*.json", ignore_patterns=["sub/*"], quick=True)
    yield row("allow_patterns", "more than before", did("snapshot_download", allow_patterns="*.json"))
    for workers in (1, 64):
        yield row("max_workers", str(workers), max_workers=workers)
    yield row("max_workers", "0", max_workers=0)
    part = did("snapshot_download", allow_patterns="*.md")
    yield row("local_files_only", "a part there", part, local_files_only=True)
    yield row("local_files_only", "the part there", part, local_files_only=True, allow_patterns="*.md")
    yield row("local_files_only", "a file there", FILE, local_files_only=True)
    yield row("local_files_only", "a file lost", SNAPSHOT, _lose, local_files_only=True)
    yield row("endpoint", "dead, a part there", part, stop)
    yield row("repo_id", "by position", repo_id=LEFT_OUT)
    yield row("dry_run", "patterns", dry_run=True, allow_patterns="*.json")
    yield row("dry_run", "a part there", FILE, dry_run=True)


def _of_files() -> Iterator[Case]:
    def row(parameter: str, value: str, *before: Step, **given: Any) -> Case:
        return _row("hf_hub_download", parameter, value, *before, **given)

    paths = ["sub/deep/x.txt", "sub/a b+c%20#.txt", "模型/说明.txt", "empty.txt", "model.bin", ".gitattributes"]
    for path in paths:
        yield row("filename", path, filename=path)
    yield row("filename", "none", filename="none.txt", quick=True)
    yield row("filename", "none, cached before", SNAPSHOT, filename="none.txt")
    yield row("filename", "none, offline", SNAPSHOT, filename="none.txt", local_files_only=True)
    yield row("filename", "none, dead", SNAPSHOT, stop, filename="none.txt")
    for path in ("../x", "sub/../config.json", "/etc/passwd", "C:/x", "sub\\..\\x", "sub", ""):
        yield row("filename", repr(path), filename=path, quick=path == "../x")
    yield row("subfolder", "sub", subfolder="sub", filename="y.json", quick=True)
    yield row("subfolder", "sub/deep", subfolder="sub/deep", filename="x.txt")
    yield row("subfolder", "empty", subfolder="")
    yield row("subfolder", "none", subfolder="none")
    yield row("subfolder", "..", subfolder="..")
    yield row("filename", "left out", filename=LEFT_OUT)
    yield row("filename", "after a snapshot", SNAPSHOT)
    yield row("dry_run", "none", dry_run=True, filename="none.txt")


def _link(root: Path) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")


def _damage(stage: Scene) -> None:
    for path in (stage.root / "cache").glob("models--*/blobs/*"):
        path.write_bytes(b"damaged")


def _lose(stage: Scene) -> None:
    for path in (stage.root / "cache").glob("models--*/snapshots/*/config.json"):
        path.unlink()
