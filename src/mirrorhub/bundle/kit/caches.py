"""Where the SDKs look for models, and where in there a kit's model belongs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mirrorhub.bundle.kit.contents import KitFile, KitModel
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.paths import OWN_FOLDER

_HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")


@dataclass(frozen=True)
class Caches:
    """The two SDKs' caches: the folder above `models/`, and the one above `models--*`."""

    modelscope: Path
    huggingface: Path


@dataclass(frozen=True)
class Seat:
    """Where a model of the kit belongs.

    Attributes:
        model: The model.
        home: The repository's folder in its SDK's cache.
        mark: What the kit is called in it while it is being placed.
    """

    model: KitModel
    home: Path
    mark: str

    @property
    def target(self) -> Path:
        """The snapshot's folder."""
        return self.home / "snapshots" / self.model.snapshot

    @property
    def building(self) -> Path:
        """Where it is put together as long as it is not there."""
        return self.home / OWN_FOLDER / f"staging-kit-{self.mark}"

    @property
    def keeps_blobs(self) -> bool:
        """Whether the snapshot is one of links to blobs."""
        return self.model.hub == "huggingface"

    def ready(self, file: KitFile) -> Path:
        """Return where a file's bytes wait, checked, as mirrorhub's own wait."""
        return self.home / OWN_FOLDER / "ready" / file.key

    def blob(self, file: KitFile) -> Path:
        """Return where huggingface_hub keeps a file's bytes."""
        return self.home / "blobs" / file.etag

    def link(self, file: KitFile) -> str:
        """Return what the link in a snapshot says."""
        return "../" * (len(PurePosixPath(file.path).parts) + 1) + f"blobs/{file.etag}"


def caches_of(environ: Mapping[str, str], modelscope: str | None = None, huggingface: str | None = None) -> Caches:
    """Return where the SDKs keep models, unless told otherwise.

    Raises:
        KitError: Neither is it told, nor has this user a home.
    """
    hub = huggingface or next((environ[name] for name in _HUB_VARIABLES if environ.get(name, "").strip()), "")
    if not hub and environ.get("HF_HOME", "").strip():
        hub = f"{environ['HF_HOME'].strip()}/hub"
    scope = modelscope or environ.get("MODELSCOPE_CACHE", "").strip()
    return Caches(
        _absolute(scope) if scope else home_folder() / ".cache" / "modelscope",
        _absolute(hub) if hub else user_cache(environ) / "huggingface" / "hub",
    )


def user_cache(environ: Mapping[str, str]) -> Path:
    """Return where a user's programs keep what can be had again.

    Raises:
        KitError: This user has no home.
    """
    named = environ.get("XDG_CACHE_HOME", "").strip()
    return _absolute(named) if named else home_folder() / ".cache"


def home_folder() -> Path:
    """Return the user's home.

    Raises:
        KitError: There is none.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise KitError("no_home", code=2) from None


def seat_of(model: KitModel, caches: Caches, mark: str) -> Seat:
    """Return where a model belongs."""
    name = model.repo.replace("/", "--")
    if model.hub == "huggingface":
        home = caches.huggingface / f"{model.type}s--{name}"
    else:
        home = caches.modelscope / f"{model.type}s" / name
    return Seat(model, home, f"{mark[:16]}-{model.snapshot.replace('/', '-')[:60]}")


def make_folder(root: Path, below: str) -> Path:
    """Make a folder below a root, and go through no link that somebody planted.

    Raises:
        KitError: There is one, or a file is in the way.
        OSError: The disk refuses.
    """
    root.mkdir(parents=True, exist_ok=True)
    place = root
    for part in PurePosixPath(below).parts:
        place = place / part
        refuse_planted(place)
        try:
            place.mkdir(exist_ok=True)
        except FileExistsError:
            raise KitError("in_the_way", place) from None
    return place


def refuse_planted(place: Path) -> None:
    """Refuse a link that stands where a folder belongs.

    Raises:
        KitError: It is one.
    """
    if place.is_symlink():
        raise KitError("planted", place)


def _absolute(path: str) -> Path:
    return Path(path.strip()).expanduser().absolute()
