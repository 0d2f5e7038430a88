"""`mirrorhub bundle verify` and `install`: the kit's own installer, with our settings, errors and lock files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from mirrorhub.bundle.kit.caches import Caches
from mirrorhub.bundle.kit.contents import Contents, KitModel
from mirrorhub.bundle.kit.script import Say, Wish, install, opened_kit, verify
from mirrorhub.bundle.kit.words import KitError, language_of, shown_text, told
from mirrorhub.config import Settings
from mirrorhub.departure import locked_state
from mirrorhub.errors import BundleError, ConfigError, PinnedError
from mirrorhub.lockfile import LockFile
from mirrorhub.lockfile.comparing import State, compare
from mirrorhub.lockfile.reading import load_lock
from mirrorhub.models import FileEntry, HubName, Repo, RepoType
from mirrorhub.records import one_of

Tell = Callable[[str], None]


def verified(kit: Path, sha256: str | None, lockfile: Path | None, tell: Tell) -> Contents:
    """Compare every member of a kit with its manifest, and its models with a lock file.

    Args:
        kit: The file, or the folder it was unpacked to.
        sha256: What the manifest's digest has to be.
        lockfile: The lock file, if there is one.
        tell: Told what is in the kit, line by line.

    Raises:
        BundleError: A member is not what is listed.
        PinnedError: A model is not what is locked.
    """
    with _in_our_words():
        contents = verify(str(kit), sha256, _say(tell))
    _compare(contents, lockfile)
    return contents


def install_kit(kit: Path, lockfile: Path | None, options: Mapping[str, object], tell: Tell) -> Contents:
    """Install a kit into the caches that this package uses.

    Args:
        kit: The file, or the folder it was unpacked to.
        lockfile: A lock file to compare it with first.
        options: `modelscope_cache`, `huggingface_cache`, `venv`, `python`, `no_models`, `no_wheels`, `sha256`,
            `lockfile_to`.
        tell: Told what is done, line by line.

    Raises:
        BundleError: A member is not what is listed, or it cannot be installed here.
        ConfigError: The wheels are for another Python or system.
        PinnedError: A model is not what is locked.
    """
    names = ("sha256", "venv", "python", "lockfile_to")
    sha256, venv, python, lock_to = (None if options[name] is None else str(options[name]) for name in names)
    models, wheels = not options["no_models"], not options["no_wheels"]
    with _in_our_words():
        if lockfile is not None:
            opened, contents = opened_kit(str(kit), sha256)
            opened.close()
            # What was compared is what is installed: the manifest's digest holds both together.
            _compare(contents, lockfile)
            sha256 = contents.sha256
        return install(Wish(str(kit), _caches(options), sha256, venv, python, models, wheels, lock_to), _say(tell))


def _caches(options: Mapping[str, object]) -> Caches:
    names = ("modelscope_cache", "huggingface_cache")
    settings = Settings.load({name: options[name] for name in names if options[name] is not None})
    return Caches(settings.modelscope_cache, settings.huggingface_cache)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except KitError as error:
        if error.code == 2:
            raise ConfigError(error.told(language_of(None))) from error
        raise BundleError(error.member, told(error.key, language_of(None), **error.values)) from error


def _say(tell: Tell) -> Say:
    def say(key: str, **values: object) -> None:
        tell(shown_text(told(key, language_of(None), **values)))

    return say


def _compare(contents: Contents, lockfile: Path | None) -> None:
    if lockfile is None:
        return
    lock = load_lock(lockfile)
    lines = [line for model in contents.models for line in _differences(model, lock)]
    if lines:
        raise PinnedError(f"The kit's models are not what {os.fspath(lockfile)} says:", lines)


def _differences(model: KitModel, lock: LockFile) -> Iterator[str]:
    repo = _repo(model)
    locked = lock.find((str(repo), model.revision))
    if locked is None:
        yield f"{repo}@{model.revision}: is not in the lock file"
        return
    files = tuple(FileEntry(file.path, file.size, file.content, file.git_sha1) for file in model.shipped)
    now = State(model.revision, model.commit, files)
    yield from (f"{repo}: {line}" for line in compare(locked_state(locked), now).lines)


def _repo(model: KitModel) -> Repo:
    return Repo(one_of(model.hub, get_args(HubName)), model.repo, one_of(model.type, get_args(RepoType)))
