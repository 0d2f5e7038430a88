"""The faces of both SDKs: the installed version's signatures, our chain behind them, errors that both would catch."""

from __future__ import annotations

import importlib
import inspect
import pickle
from pathlib import Path

import huggingface_hub as hf_sdk
import pytest
import requests
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from modelscope_hub.errors import CacheNotFound, InvalidParameter

from mirrorhub import errors, huggingface_hub, modelscope
from tests.fakehub import FakeHub, Repo

FILES = {"config.json": b"{}", "sub/x.txt": b"x" * 3000, "model.bin": b"m" * 5000}
FUNCTIONS = [(huggingface_hub, name) for name in huggingface_hub.__all__]
FUNCTIONS += [(modelscope, name) for name in modelscope.__all__]


@pytest.mark.parametrize(("face", "name"), FUNCTIONS, ids=[name for _, name in FUNCTIONS])
def test_a_signature_is_the_installed_one(face: object, name: str) -> None:
    """Position, name, kind and default of every parameter are those of the version that is installed."""
    theirs = getattr(importlib.import_module(face.__name__.removeprefix("mirrorhub.")), name)
    ours = getattr(face, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.isfunction(ours)
    assert pickle.loads(pickle.dumps(ours)) is ours


def test_other_names_are_the_sdks() -> None:
    """Whoever changes the import line gets the other names, too."""
    from mirrorhub.huggingface_hub import HfApi

    assert HfApi is hf_sdk.HfApi
    with pytest.raises(AttributeError, match="downlaod"):
        huggingface_hub.downlaod  # noqa: B018


def hub(**more: object) -> FakeHub:
    """A host that holds the repository as both hubs have it."""
    repos = [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]
    return FakeHub([*repos, Repo("huggingface", "org/gated", FILES, gated=True)], **more)


def test_they_bring_what_is_asked_for() -> None:
    """A snapshot lies where the SDK would put it, and one file lies in it."""
    with hub() as there:
        path = Path(huggingface_hub.snapshot_download("org/name", endpoint=there.url))
        file = huggingface_hub.hf_hub_download("org/name", "x.txt", subfolder="sub", endpoint=there.url)
        assert (path / "sub/x.txt", Path(file).read_bytes()) == (Path(file), FILES["sub/x.txt"])
        path = Path(modelscope.snapshot_download("org/name", None, None, None, False, endpoint=there.url))
        file = modelscope.model_file_download("org/name", "sub/x.txt", endpoint=there.url)
        assert (path / "sub/x.txt", Path(file).read_bytes()) == (Path(file), FILES["sub/x.txt"])


HF_ERRORS = {
    "repository": ({"repo_id": "org/none"}, RepositoryNotFoundError, errors.RepoNotFoundError, 404),
    "revision": ({"revision": "none"}, RevisionNotFoundError, errors.RevisionNotFoundError, 404),
    "file": ({"filename": "none"}, EntryNotFoundError, errors.MissingFileError, 404),
    "gated": ({"repo_id": "org/gated"}, GatedRepoError, errors.AccessDeniedError, 401),
    "offline": ({"local_files_only": True}, LocalEntryNotFoundError, errors.NotCachedError, None),
}


@pytest.mark.parametrize(("given", "theirs", "ours", "status"), HF_ERRORS.values(), ids=list(HF_ERRORS))
def test_a_huggingface_error_is_both(given: dict[str, object], theirs: type, ours: type, status: int | None) -> None:
    """`except` of the SDK's class catches it, `except` of ours does, and it carries the answer and the attempts."""
    with hub() as there, pytest.raises(theirs) as raised:
        huggingface_hub.hf_hub_download(
            **{"repo_id": "org/name", "filename": "config.json", "endpoint": there.url} | given
        )
    assert isinstance(raised.value, ours)
    assert isinstance(raised.value.__cause__, ours)
    assert getattr(getattr(raised.value, "response", None), "status_code", None) == status
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), str(again)) == (type(raised.value), str(raised.value))


MS_ERRORS = {
    "repository": ({"model_id": "org/none"}, requests.HTTPError, errors.RepoNotFoundError),
    "id": ({"model_id": "none"}, requests.HTTPError, errors.ConfigError),
    "revision": ({"revision": "none"}, requests.HTTPError, errors.RevisionNotFoundError),
    "offline": ({"local_files_only": True}, CacheNotFound, errors.NotCachedError),
}


@pytest.mark.parametrize(("given", "theirs", "ours"), MS_ERRORS.values(), ids=list(MS_ERRORS))
def test_a_modelscope_error_is_both(given: dict[str, object], theirs: type, ours: type) -> None:
    """`except` of the SDK's class catches it, and `except` of ours."""
    with hub() as there, pytest.raises(theirs) as raised:
        modelscope.snapshot_download(**{"model_id": "org/name", "endpoint": there.url} | given)
    assert isinstance(raised.value, ours)


def test_arguments_are_the_sdks() -> None:
    """What no version takes is a TypeError, a wrong id or type is the SDK's own error, and old names warn."""
    with pytest.raises(TypeError, match=r"snapshot_download\(\) got an unexpected keyword argument 'nope'"):
        huggingface_hub.snapshot_download("org/name", nope=1)
    with pytest.raises(HFValidationError):
        huggingface_hub.snapshot_download("org//name")
    with pytest.raises(ValueError, match="repo type"):
        huggingface_hub.snapshot_download("org/name", repo_type="nope")
    with pytest.raises(LocalTokenNotFoundError):
        huggingface_hub.snapshot_download("org/name", token=True)
    with pytest.warns(UserWarning, match="resume_download"), pytest.raises(LocalEntryNotFoundError):
        huggingface_hub.snapshot_download("org/name", resume_download=True, local_files_only=True)
    with pytest.raises(InvalidParameter):
        modelscope.snapshot_download()
    with pytest.warns(DeprecationWarning, match="cookies"), pytest.raises(CacheNotFound):
        modelscope.snapshot_download("org/name", cookies={}, local_files_only=True)
