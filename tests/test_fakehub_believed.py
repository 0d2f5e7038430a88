"""The test hub is believed because the installed SDKs are driven against it: forms, refusals, kinds, Xet's headers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import pytest
from huggingface_hub import errors as hf
from modelscope_hub import HubApi
from modelscope_hub import errors as ms

from tests.fakehub import FakeHub, Repo
from tests.fakehub.dialects import Form, NoErrorCode
from tests.fakehub.faults import Status
from tests.fakehub.repo import RepoType
from tests.fakehub.rules import Fault, Rule

FILES = {"config.json": b"{}", "sub/x.bin": b"x" * 3000}


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both SDKs trust the hub's certificate and keep quiet; the connections of another test's hub are gone."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(FakeHub().ca_file))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    logging.getLogger("modelscope_hub").setLevel(logging.CRITICAL)
    huggingface_hub.close_session()


def api(hub: FakeHub, token: str | None = None) -> HubApi:
    """ModelScope's client, over the host's number: Python sends no cookie to localhost."""
    return HubApi(endpoint=hub.url.replace("localhost", "127.0.0.1"), token=token)


@pytest.mark.parametrize("form", ["files", "list", "small", "null", "none"])
@pytest.mark.parametrize("files", [FILES, {}], ids=["files", "nothing"])
def test_forms_of_a_listing(form: Any, files: Mapping[str, bytes]) -> None:
    """The ModelScope SDK reads the same files out of each form, and nothing out of an empty one."""
    with FakeHub([Repo("modelscope", "org/name", files)], [Form(form)]) as hub:
        rows = api(hub).legacy.list_repo_files("org/name", "model", "master")
    blobs = {row.get("Path", row.get("path")) for row in rows if row.get("Type", row.get("type")) == "blob"}
    assert blobs == set(files)


Options = dict[str, bool]
THEIRS: dict[str, tuple[Options | None, list[Fault], str | None, str, type[Exception]]] = {
    "missing": (None, [], None, "main", hf.RepositoryNotFoundError),
    "private": ({"private": True}, [], None, "main", hf.RepositoryNotFoundError),
    "private, no code": ({"private": True}, [NoErrorCode()], None, "main", hf.RepositoryNotFoundError),
    "a wrong token": ({"private": True}, [], "wrong", "main", hf.HfHubHTTPError),
    "gated": ({"gated": True}, [], None, "main", hf.GatedRepoError),
    "not let in": ({"gated": True, "granted": False}, [], "secret", "main", hf.GatedRepoError),
    "no revision": ({}, [], None, "v9", hf.RevisionNotFoundError),
}


@pytest.mark.parametrize(("options", "faults", "token", "revision", "error"), THEIRS.values(), ids=THEIRS)
def test_refusals(
    options: Options | None,
    faults: list[Fault],
    token: str | None,
    revision: str,
    error: type[Exception],
    tmp_path: Path,
) -> None:
    """The Hugging Face SDK raises for each refusal what it raises for the hub's."""
    repos = [] if options is None else [Repo("huggingface", "org/name", FILES, **options)]  # type: ignore[arg-type]
    with FakeHub(repos, faults, token="secret") as hub, pytest.raises(hf.HfHubHTTPError) as caught:
        huggingface_hub.hf_hub_download(
            "org/name", "config.json", revision=revision, endpoint=hub.url, token=token or False, cache_dir=tmp_path
        )
    assert type(caught.value) is error


MODELSCOPES: dict[str, tuple[Options | None, Fault | None, str | None, str, type[Exception]]] = {
    "missing": (None, None, None, "master", ms.NotExistError),
    "private": ({"private": True}, None, None, "master", ms.NotExistError),
    "a wrong token": ({"private": True}, None, "wrong", "master", ms.AuthenticationError),
    "no revision": ({}, None, None, "v9", ms.NotExistError),
    "denied": ({}, Status(403, json={"Code": 403, "Message": "no"}), None, "master", ms.PermissionDeniedError),
    "a bad token under 400": ({}, Status(400, json={"Code": 10010103009}), None, "master", ms.AuthenticationError),
}


@pytest.mark.parametrize(("options", "fault", "token", "revision", "error"), MODELSCOPES.values(), ids=MODELSCOPES)
def test_refusals_of_modelscope(
    options: Options | None, fault: Fault | None, token: str | None, revision: str, error: type[Exception]
) -> None:
    """The ModelScope SDK raises for each refusal what it raises for the hub's."""
    repos = [] if options is None else [Repo("modelscope", "org/name", FILES, **options)]  # type: ignore[arg-type]
    with FakeHub(repos, [fault] if fault else [], token="secret") as hub, pytest.raises(error):
        api(hub, token).legacy.list_repo_files("org/name", "model", revision)


@pytest.mark.parametrize("kind", ["model", "dataset", "space", "kernel"])
def test_kinds(kind: RepoType, tmp_path: Path) -> None:
    """The Hugging Face SDK gets a repository of each kind."""
    with FakeHub([Repo("huggingface", "org/name", FILES, repo_type=kind)]) as hub:
        path = huggingface_hub.snapshot_download("org/name", repo_type=kind, endpoint=hub.url, cache_dir=tmp_path)
    assert {name: Path(path, name).read_bytes() for name in FILES} == FILES


def test_xet() -> None:
    """The Hugging Face SDK reads of a file in Xet's store where its pieces are to be had, and finds it in the tree."""
    model = Repo("huggingface", "org/name", FILES)
    with FakeHub([model], xet=True) as hub:
        url = huggingface_hub.hf_hub_url("org/name", "sub/x.bin", endpoint=hub.url)
        found = huggingface_hub.get_hf_file_metadata(url, endpoint=hub.url)
        tree = list(huggingface_hub.HfApi(hub.url).list_repo_tree("org/name", recursive=True))
    file = model.files["sub/x.bin"]
    assert found.xet_file_data is not None
    assert (found.xet_file_data.file_hash, found.etag, found.size) == (file.xet, file.sha256, 3000)
    assert [getattr(entry, "xet_hash", None) for entry in tree if entry.path == "sub/x.bin"] == [file.xet]


SLOW: dict[str, tuple[Rule, type[Exception] | None]] = {
    "denied in the middle": (Rule(Status(403, json={"Code": 403, "Message": "no"}), "listing", after=1, times=1), None),
    "broken in the middle": (Rule(Status(502), "listing", after=1, times=1), None),
    "busy": (Rule(Status(429, retry_after=1), "listing"), ms.RateLimitError),
}


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "error"), SLOW.values(), ids=SLOW)
def test_hiccups(rule: Rule, error: type[Exception] | None) -> None:
    """The ModelScope SDK asks again for a page that was denied in the middle of a listing, and for a broken one."""
    files = {f"{n:04d}.txt": b"" for n in range(401)}

    def listed(hub: FakeHub) -> int:
        return len(api(hub).legacy.list_dataset_files_paginated("org/name"))

    with FakeHub([Repo("modelscope", "org/name", files, repo_type="dataset")], [rule]) as hub:
        assert outcome(lambda: listed(hub)) == (error or 401)


@pytest.mark.slow
def test_a_flat_folder_that_was_cut_off() -> None:
    """Of a folder with more files than a listing holds the ModelScope SDK tells 3,000, and warns; we refuse."""
    files = {f"flat/{n:05d}.txt": b"" for n in range(3100)}
    with FakeHub([Repo("modelscope", "org/name", files)]) as hub:
        assert len(api(hub).legacy.list_repo_files("org/name", "model", "master")) == 3001


def outcome(work: Callable[[], int]) -> int | type[Exception]:
    """What comes of it: a number, or the class of what was raised."""
    try:
        return work()
    except Exception as error:
        return type(error)
