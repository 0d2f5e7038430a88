"""The kit's manifest: what is in it, and what that is. What cannot be right is refused before anything else is read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from mirrorhub.bundle.kit.archive import MANIFEST, MAX_MEMBERS, FolderKit, ZipKit
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.paths import file_and_folder, path_problem, repeated, revision_problem, twins
from mirrorhub.records import hex_digits, items, mapping, number, one_of, text, texts

KIT_FORMAT = "mirrorhub-kit"
KIT_VERSION = 1
_SYSTEM = "darwin" if sys.platform == "darwin" else os.name
MAX_MANIFEST = 32 << 20
LOCK_NAME = "mirrorhub.lock"
_NAMES = {
    "script": ("__main__.py", "install.py"),
    "readme": ("README.md", "README.zh-CN.md"),
    "lock": (LOCK_NAME,),
}
KINDS = ("model", "wheel", *_NAMES)
_REPO_PART = re.compile(r"\w[\w.+-]{0,95}")
_WHEEL = re.compile(r"wheels/[A-Za-z0-9][A-Za-z0-9._+!-]{0,240}\.whl")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,200}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,100}")
_DIGITS = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}")
_TAG = re.compile(r"[A-Za-z0-9_.]{1,100}")


@dataclass(frozen=True)
class Member:
    """One file of the kit, beside the manifest. `size` is in bytes."""

    path: str
    kind: str
    size: int
    sha256: str


@dataclass(frozen=True)
class KitFile:
    """A file of a repository, as its hub lists it; `content` is the sha256 of its bytes if they are in the kit."""

    path: str
    size: int | None
    sha256: str | None
    git_sha1: str | None
    commit: str | None
    pointer: str | None
    content: str | None

    @property
    def member(self) -> str:
        """The member that holds the bytes."""
        return f"models/{self.content}"

    @property
    def etag(self) -> str:
        """What huggingface_hub calls the content."""
        return self.sha256 or self.git_sha1 or ""

    @property
    def key(self) -> str:
        """What mirrorhub calls it while it waits to be published."""
        return f"sha256-{self.sha256}" if self.sha256 else f"git-sha1-{self.git_sha1}"


@dataclass(frozen=True)
class KitModel:
    """A repository at a revision.

    Attributes:
        hub: `modelscope` or `huggingface`.
        repo: owner/name.
        type: `model`, `dataset`, ...
        revision: As it was asked for.
        commit: Which one that is, where the hub has one.
        snapshot: What its folder in the cache is called.
        voucher: Who vouched for it where the kit was made: kind and name.
        scope: What is listed, where that is not the whole repository.
        files: All that are listed, in the kit or not.
    """

    hub: str
    repo: str
    type: str
    revision: str
    commit: str | None
    snapshot: str
    voucher: tuple[str, str]
    scope: tuple[str, ...] | None
    files: tuple[KitFile, ...]

    @property
    def name(self) -> str:
        """The repository and its revision, as they are typed."""
        hub = "hf://" if self.hub == "huggingface" else ""
        kind = "" if self.type == "model" else f"{self.type}s/"
        return "{}{}{}@{}".format(hub if hub or not kind else "ms://", kind, self.repo, self.revision)

    @property
    def shipped(self) -> list[KitFile]:
        """The files whose bytes are in the kit."""
        return [file for file in self.files if file.content is not None]


@dataclass(frozen=True)
class Package:
    """A wheel: what it is called, and its member."""

    name: str
    version: str
    member: str


@dataclass(frozen=True)
class KitWheels:
    """The wheels, all that an environment needs.

    Attributes:
        python: The version, as `3.11`.
        implementation: `cp`.
        platforms: Tags, as pip names them.
        requirements: What was asked for.
        packages: What that takes.
    """

    python: str
    implementation: str
    platforms: tuple[str, ...]
    requirements: tuple[str, ...]
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class Contents:
    """What the manifest says.

    Attributes:
        sha256: Of the manifest itself: it stands for the whole kit.
        maker: Who made it.
        members: By path.
        models: The repositories.
        wheels: The wheels, if there are any.
    """

    sha256: str
    maker: str
    members: dict[str, Member]
    models: tuple[KitModel, ...]
    wheels: KitWheels | None


def read_contents(kit: ZipKit | FolderKit, sha256: str | None = None) -> Contents:
    """Read a kit's manifest.

    Args:
        kit: The kit.
        sha256: What the manifest's digest, or the whole file's, has to be.

    Raises:
        KitError: It is not what a manifest is, or not the one that was meant.
    """
    data = b""
    for block in kit.blocks(MANIFEST):
        data += block
        if len(data) > MAX_MANIFEST:
            raise KitError("too_long", MANIFEST)
    actual = hashlib.sha256(data).hexdigest()
    if sha256 is not None and sha256.lower() not in (actual, kit.digest()):
        raise KitError("other_kit", kit.path, actual=actual, expected=sha256.lower())
    try:
        return decode_contents(data, actual)
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        if isinstance(error, KitError):
            raise
        reason = f"{error} is missing" if isinstance(error, LookupError) else str(error) or "too deep"
        raise KitError("bad_manifest", MANIFEST, reason=reason[:200]) from error


def decode_contents(data: bytes, sha256: str) -> Contents:
    """Read a manifest from its bytes.

    Raises:
        ValueError: It is none; LookupError or RecursionError, likewise.
    """
    raw = mapping(
        json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_whole,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    )
    if raw["format"] != KIT_FORMAT:
        raise ValueError("another format")
    if raw["version"] != KIT_VERSION:
        raise KitError("version", MANIFEST, version=str(raw["version"])[:20], known=KIT_VERSION)
    members = _by_path([_member(mapping(row)) for row in items(raw["members"])])
    wheels = None if raw["wheels"] is None else _wheels(mapping(raw["wheels"]))
    contents = Contents(
        sha256, text(raw["made_by"])[:100], members, tuple(_model(mapping(row)) for row in items(raw["models"])), wheels
    )
    _check_references(contents)
    return contents


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _whole(digits: str) -> int:
    if len(digits) > 18:
        raise ValueError("a number beyond all measure")
    return int(digits)


def _no_number(word: str) -> object:
    raise ValueError(f"{word[:20]} may not stand here")


def _member(raw: dict[str, object]) -> Member:
    path, kind = text(raw["path"]), one_of(raw["kind"], KINDS)
    sha256 = hex_digits(raw["sha256"], 64)
    problem = path_problem(path) or (path_problem(path, windows=True) if os.name == "nt" else None)
    if problem:
        raise KitError("name", path, reason=problem)
    if (kind == "model" and path != f"models/{sha256}") or (kind == "wheel" and not _WHEEL.fullmatch(path)):
        raise ValueError(f"{path[:100]!r} is no name of a {kind}")
    if path not in _NAMES.get(kind, (path,)):
        raise ValueError(f"{path[:100]!r} is no name of a {kind}")
    return Member(path, kind, number(raw["size"]), sha256)


def _by_path(members: list[Member]) -> dict[str, Member]:
    if len(members) >= MAX_MEMBERS:
        raise KitError("too_many", MANIFEST)
    found = {member.path: member for member in members}
    if len(found) < len(members) or MANIFEST in found:
        raise ValueError("a member is listed twice")
    both = twins(found)
    if both:
        raise KitError("twice", both[1])
    return found


def _model(raw: dict[str, object]) -> KitModel:
    voucher = mapping(raw["vouched_by"])
    model = KitModel(
        hub=one_of(raw["hub"], ("modelscope", "huggingface")),
        repo=text(raw["repo"]),
        type=one_of(raw["type"], ("model", "dataset", "space", "kernel")),
        revision=text(raw["revision"]),
        commit=None if raw["commit"] is None else _safe(raw["commit"]),
        snapshot=text(raw["snapshot"]),
        voucher=(text(voucher["kind"])[:20], text(voucher["name"])[:300]),
        scope=None if raw["scope"] is None else texts(raw["scope"]),
        files=tuple(_file(mapping(row)) for row in items(raw["files"])),
    )
    _check_model(model)
    return model


def _check_model(model: KitModel) -> None:
    parts = model.repo.split("/")
    if not 1 <= len(parts) <= 2 or (model.hub == "modelscope" and len(parts) != 2):
        raise ValueError(f"{model.repo[:100]!r} is no repository")
    if not all(_REPO_PART.fullmatch(part) and ".." not in part and part[-1] != "." for part in parts):
        raise ValueError(f"{model.repo[:100]!r} is no repository")
    problem = revision_problem(model.revision)
    if problem:
        raise ValueError(f"revision {model.revision[:100]!r} {problem}")
    if model.hub == "huggingface":
        hex_digits(model.snapshot, 40)
    elif model.snapshot != model.revision:
        raise ValueError("a snapshot of another revision")
    check_paths([file.path for file in model.files])


def check_paths(paths: Iterable[str], system: str = _SYSTEM) -> None:
    """Refuse paths that must not be written, or cannot be on this system.

    Raises:
        KitError: There is one.
    """
    paths = list(paths)
    for path in paths:
        problem = path_problem(path, windows=system == "nt")
        if problem:
            raise KitError("name", path, reason=problem)
    again = repeated(paths)
    if again is not None:
        raise KitError("twice", again)
    both = file_and_folder(paths)
    if both:
        raise KitError("name", both, reason="is a file and a folder")
    pair = twins(paths) if system in ("nt", "darwin") else None
    if pair:
        raise KitError("name", pair[1], reason=f"is the same as {pair[0]!r} on this system")


def _file(raw: dict[str, object]) -> KitFile:
    file = KitFile(
        path=text(raw["path"]),
        size=None if raw.get("size") is None else number(raw["size"]),
        sha256=_digest(raw, "sha256", 64),
        git_sha1=_digest(raw, "git_sha1", 40),
        commit=None if raw.get("commit") is None else _safe(raw["commit"]),
        pointer=_digest(raw, "pointer", 40),
        content=_digest(raw, "content", 64),
    )
    if file.content is not None and (
        file.size is None or not file.etag or file.content != (file.sha256 or file.content)
    ):
        raise ValueError(f"{file.path[:100]!r} is listed with two digests, or none")
    return file


def _digest(raw: dict[str, object], name: str, count: int) -> str | None:
    return None if raw.get(name) is None else hex_digits(raw[name], count)


def _safe(raw: object) -> str:
    name = text(raw)
    if path_problem(name):
        raise ValueError("a commit that must not be a path")
    return name


def _wheels(raw: dict[str, object]) -> KitWheels:
    packages = tuple(_package(mapping(row)) for row in items(raw["packages"]))
    names = [re.sub("[-_.]+", "-", package.name).lower() for package in packages]
    if not packages or len(set(names)) < len(names):
        raise ValueError("no wheels, or one package twice")
    return KitWheels(
        python=_word(raw["python"], _DIGITS),
        implementation=_word(raw["implementation"], _TAG),
        platforms=tuple(_word(one, _TAG) for one in items(raw["platforms"])),
        requirements=texts(raw["requirements"]),
        packages=packages,
    )


def _package(raw: dict[str, object]) -> Package:
    return Package(_word(raw["name"], _NAME), _word(raw["version"], _VERSION), _word(raw["member"], _WHEEL))


def _word(raw: object, form: re.Pattern[str]) -> str:
    word = text(raw)
    if not form.fullmatch(word):
        raise ValueError(f"{word[:100]!r} may not stand here")
    return word


def _check_references(contents: Contents) -> None:
    """Let everything that is named be a member of its kind, and every such member be named."""
    sizes = {(file.member, file.size) for model in contents.models for file in model.shipped}
    wheels = [package.member for package in contents.wheels.packages] if contents.wheels else []
    named = [(name, "model") for name, _ in sizes] + [(name, "wheel") for name in wheels]
    listed = [(one.path, one.kind) for one in contents.members.values() if one.kind in ("model", "wheel")]
    if sorted(named) != sorted(listed):
        raise ValueError("models and wheels are not those among the members")
    if any(contents.members[name].size != size for name, size in sizes):
        raise ValueError("a file is listed with two sizes")
