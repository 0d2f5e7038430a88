"""The faces of both SDKs: the installed version's signatures, our chain behind them, errors that both would catch."""

from __future__ import annotations

import importlib
import inspect
import os
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
from modelscope_hub.errors import CacheNotFound, FileDownloadError, InvalidParameter, PermissionDeniedError

from benchmarks.signatures import installed, news
from mirrorhub import errors, huggingface_hub, modelscope
from mirrorhub.faces import hf
from mirrorhub.faces.signatures import Part, spoken_by_us
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


NAMES = {"dot": "./config.json", "in": "sub/./x.txt", "slash": "config.json/"}


@pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
def test_a_name_with_dots_in_it(name: str, tmp_path: Path) -> None:
    """The file is found as the SDK finds it, and its path is spelt as there, but for a slash behind a file."""
    with hub() as there:
        given = {"filename": name, "endpoint": there.url}
        theirs = hf_sdk.hf_hub_download("org/name", **given, cache_dir=tmp_path / "theirs")
        ours = huggingface_hub.hf_hub_download("org/name", **given, cache_dir=tmp_path / "ours")
        assert ours.replace("ours", "theirs") == theirs.rstrip("/")
        assert Path(ours).read_bytes() == FILES[Path(name).as_posix()]
        given["local_dir"] = tmp_path / "plain"
        assert huggingface_hub.hf_hub_download("org/name", **given) == str(tmp_path / "plain" / name)


def test_a_cache_that_a_program_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK's other functions look, there the file is; a variable that is set later changes nothing."""
    monkeypatch.setattr(hf_sdk.constants, "HF_HUB_CACHE", str(tmp_path / "set"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "late"))
    with hub() as there:
        path = huggingface_hub.hf_hub_download("org/name", "config.json", endpoint=there.url)
    assert Path(path).is_relative_to(tmp_path / "set")
    assert huggingface_hub.try_to_load_from_cache("org/name", "config.json") == path


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
@pytest.mark.parametrize("linked", ["models/org", "models/org/name"])
def test_an_older_directory_behind_a_link(linked: str, tmp_path: Path) -> None:
    """The directory of an older modelscope may stand on another disk; its path is spelt as the SDK spells it."""
    (tmp_path / "disk2" / linked).mkdir(parents=True)
    link, folder = tmp_path / linked, tmp_path / "models/org/name"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "disk2" / linked)
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(FILES["model.bin"])
    with hub() as there:
        given = {"cache_dir": str(tmp_path), "endpoint": there.url}
        assert modelscope.snapshot_download("org/name", **given) == str(folder)
        assert modelscope.model_file_download("org/name", "sub/x.txt", **given) == str(folder / "sub/x.txt")
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES


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


def test_every_parameter_is_known() -> None:
    """Of the installed versions no parameter is unknown, and none is gone."""
    assert news(installed()) == []


def test_a_new_parameter_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """What a newer SDK has added is told, and taken with a warning where it says something."""

    def newer(repo_id: str, *, brand_new: int = 3) -> None:
        """A function of a version to come."""

    assert news({"hub.newer": (newer, Part(dict, frozenset({"repo_id", "old"})))}) == [
        "hub.newer: brand_new is new: not known to mirrorhub",
        "hub.newer: old is gone: TypeError, as from the SDK",
    ]
    ours = spoken_by_us(newer, Part(lambda given: given["repo_id"], frozenset({"repo_id"})), "hub", lambda one: one)
    assert (ours("a"), ours("a", brand_new=3), caplog.messages) == ("a", "a", [])
    assert ours("a", brand_new=4) == "a"
    assert "brand_new" in caplog.text
    with pytest.raises(TypeError, match="newer"):
        ours("a", other=1)


def test_an_older_version_has_fewer() -> None:
    """What the installed version does not have is its TypeError, whatever we know."""

    def snapshot_download(repo_id: str, *, cache_dir: str | None = None, endpoint: str | None = None) -> str:
        """A function of an older version."""
        raise NotImplementedError

    ours = spoken_by_us(snapshot_download, hf.PARTS["snapshot_download"], "hub", lambda one: one)
    with hub() as there:
        assert Path(ours("org/name", endpoint=there.url), "config.json").read_bytes() == FILES["config.json"]
        with pytest.raises(TypeError, match="dry_run"):
            ours("org/name", dry_run=True)


def test_files_in_a_row_are_cheap() -> None:
    """Of a repository that is known already, a file that is there costs one request, and so does one that is not."""
    with hub(blobs=False) as there:
        for name in ("config.json", "sub/x.txt"):
            huggingface_hub.hf_hub_download("org/name", name, endpoint=there.url)
        there.log.clear()
        huggingface_hub.hf_hub_download("org/name", "config.json", endpoint=there.url)
        with pytest.raises(EntryNotFoundError):
            huggingface_hub.hf_hub_download("org/name", "none.json", endpoint=there.url)
        assert [request.kind for request in there.log.requests()] == ["revision", "revision"]


def test_who_calls_is_told() -> None:
    """The caller's own headers and name reach the one endpoint that was given with the call."""
    with hub() as there:
        huggingface_hub.snapshot_download(
            "org/name", endpoint=there.url, headers={"X-Own": "1"}, library_name="lib", library_version="2"
        )
        heard = [request.headers for request in there.log.requests()]
    assert {headers["x-own"] for headers in heard} == {"1"}
    assert all(headers["user-agent"].endswith("; lib/2") for headers in heard)


def test_progress_is_shown_by_the_callers_class() -> None:
    """A class of one's own counts bytes and files, also where nothing had to be fetched."""
    seen: list[tuple[object, object, int]] = []

    class Bar:
        """A bar that is no tqdm."""

        def __init__(self, **given: object) -> None:
            self.given, self.count = given, int(str(given.get("initial") or 0))

        def update(self, count: int) -> None:
            """So many more."""
            self.count += count

        def close(self) -> None:
            """It is over."""
            seen.append((self.given.get("unit"), self.given["total"], self.count))

    with hub() as there:
        for _ in range(2):
            huggingface_hub.snapshot_download("org/name", endpoint=there.url, tqdm_class=Bar)
    size = sum(map(len, FILES.values()))
    assert seen == [("B", size, size), (None, 3, 3), (None, 3, 3)]


def test_the_newest_tag_of_a_release() -> None:
    """`model_file_download` takes the newest tag that the installed version may know, as the SDK does."""
    repo = Repo("modelscope", "org/name", FILES)
    repo.tag("v1.0")
    repo.commit({"config.json": b"new"})
    repo.tag("v99", at=4_000_000_000)
    with FakeHub([repo]) as there:
        path = Path(modelscope.model_file_download("org/name", "config.json", endpoint=there.url))
        assert (path.parent.name, path.read_bytes()) == ("v1.0", FILES["config.json"])


def test_modules_below_are_there() -> None:
    """Code that names the module a function lived in gets ours, and the SDK's other names beside it."""
    from mirrorhub.huggingface_hub.errors import EntryNotFoundError as Error
    from mirrorhub.huggingface_hub.file_download import hf_hub_download, repo_folder_name
    from mirrorhub.modelscope.hub.file_download import model_file_download
    from mirrorhub.modelscope.hub.snapshot_download import snapshot_download

    assert (Error, repo_folder_name) == (EntryNotFoundError, hf_sdk.file_download.repo_folder_name)
    assert hf_hub_download is huggingface_hub.hf_hub_download
    assert (snapshot_download, model_file_download) == (modelscope.snapshot_download, modelscope.model_file_download)
    from mirrorhub.modelscope.hub import snapshot_download as again

    assert again is modelscope.snapshot_download
    assert huggingface_hub.file_download.hf_hub_download is hf_hub_download
    assert modelscope.hub.snapshot_download is snapshot_download
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("mirrorhub.modelscope.none")


def test_offline_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE counts whenever it is set, and nobody is asked."""
    with hub() as there:
        path = huggingface_hub.snapshot_download("org/name", endpoint=there.url)
        there.log.clear()
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        assert huggingface_hub.snapshot_download("org/name", endpoint=there.url) == path
        with pytest.raises(LocalEntryNotFoundError):
            huggingface_hub.hf_hub_download("org/name", "none.json", endpoint=there.url)
        with pytest.raises(ValueError, match="force_download"):
            huggingface_hub.hf_hub_download("org/name", "config.json", endpoint=there.url, force_download=True)
        assert not there.log.requests()


def test_who_may_see_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored token goes to an endpoint that was given with the call only where the call asks for it."""
    monkeypatch.setenv("HF_TOKEN", "hf_stored")
    sent = {}
    with hub() as there:
        for token in (None, False, True, "hf_own"):
            there.log.clear()
            huggingface_hub.snapshot_download("org/name", endpoint=there.url, token=token, force_download=True)
            sent[token] = {"authorization" in request.headers for request in there.log.requests()}
    assert sent == {None: {False}, False: {False}, True: {True}, "hf_own": {True}}


def test_a_snapshot_says_which_file_failed() -> None:
    """Modelscope's error of a snapshot names the file, and what happened to it, in its own classes."""
    repo = Repo("modelscope", "org/gated", FILES, gated=True)
    with FakeHub([repo]) as there, pytest.raises(FileDownloadError) as raised:
        modelscope.snapshot_download("org/gated", endpoint=there.url)
    assert isinstance(raised.value, errors.AccessDeniedError)
    ((file, failure),) = raised.value.failed_files.items()
    assert file in FILES
    assert isinstance(failure, PermissionDeniedError)


@pytest.mark.parametrize("name", ["snapshot_download", "dataset_snapshot_download"])
def test_a_warning_points_at_who_wrote_it(name: str) -> None:
    """A warning of an old argument names the line that gave it."""
    with pytest.warns(DeprecationWarning, match="cookies") as caught, pytest.raises(Exception, match=r"."):
        getattr(modelscope, name)("org/none", cookies={}, endpoint="http://127.0.0.1:9", max_workers=0)
    assert {one.filename for one in caught if "cookies" in str(one.message)} == {__file__}
