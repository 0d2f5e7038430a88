"""`mirrorhub.install()`: the SDKs' functions go along the chain wherever they are held, and back without a trace."""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

import pytest
import requests
from huggingface_hub import (
    HfApi,
    file_exists,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.utils import build_hf_headers, get_session
from modelscope.hub.api import HubApi as LegacyHubApi
from modelscope.hub.file_download import model_file_download
from modelscope.hub.snapshot_download import dataset_snapshot_download
from modelscope.hub.snapshot_download import snapshot_download as ms_snapshot_download
from modelscope_hub import HubApi
from modelscope_hub import compat as ms_hub
from modelscope_hub.errors import NotExistError, NotSupportedError

import mirrorhub
from mirrorhub.errors import MirrorHubError
from mirrorhub.models import Repo
from mirrorhub.routing.question import question_of
from mirrorhub.routing.routes import ROUTES
from tests.fakehub import FakeHub
from tests.fakehub import Repo as FakeRepo
from tests.fakehub.dialects import Relink
from tests.fakehub.faults import HangOnAccept, Html
from tests.fakehub.rules import Rule

FILES = {"config.json": b"{}", "sub/x.txt": b"x" * 3000}
DEAD = "https://localhost:9"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """A hub that is second in the chain, behind one that is dead; the SDKs' own addresses are the dead one."""
    repos = [FakeRepo(name, "org/name", FILES) for name in ("modelscope", "huggingface")]
    repos += [FakeRepo("modelscope", "org/data", FILES, repo_type="dataset")]
    repos[0].commit({"late.txt": b"late"}, delete=["sub/x.txt"])
    repos[0].tag("v1.0.0", repos[0].commits[0].id)
    with FakeHub(repos, page_size=2) as there:
        monkeypatch.setenv("MIRRORHUB_ENDPOINTS", f"{DEAD} {there.url}")
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", DEAD)
        yield there
    mirrorhub.uninstall()


def led_functions() -> dict[str, FunctionType]:
    """Every function that is led elsewhere, of the modules that can be had here."""
    found = {}
    for name in ROUTES:
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            module = importlib.import_module(name)
            found |= {f"{name}.{path}": functools.reduce(getattr, path.split("."), module) for path in ROUTES[name]}
    return found


def state(function: FunctionType) -> tuple[object, ...]:
    """All that could be changed about a function."""
    return (id(function), function.__code__, function.__defaults__, function.__kwdefaults__, dict(vars(function)))


def states() -> dict[str, tuple[object, ...]]:
    """The state of every function that is led elsewhere, and of what its decorators hide."""
    return {
        f"{name} {depth}": state(function)
        for name, outer in led_functions().items()
        for depth, function in enumerate(layers(outer))
    }


def layers(function: object) -> Iterator[FunctionType]:
    """Yield a function and everything that it wraps."""
    while isinstance(function, FunctionType):
        yield function
        function = getattr(function, "__wrapped__", None)


CALLS: dict[str, Callable[[], object]] = {
    "hf_hub_download": lambda: hf_hub_download("org/name", "sub/x.txt"),
    "snapshot_download": lambda: snapshot_download("org/name"),
    "HfApi().hf_hub_download": lambda: HfApi().hf_hub_download("org/name", "x.txt", subfolder="sub"),
    "HfApi().snapshot_download": lambda: HfApi().snapshot_download("org/name", allow_patterns="*.txt"),
    "a partial": functools.partial(hf_hub_download, "org/name", "sub/x.txt"),
    "modelscope.snapshot_download": lambda: ms_snapshot_download("org/name", "v1.0.0"),
    "modelscope.model_file_download": lambda: model_file_download("org/name", "sub/x.txt"),
    "modelscope.dataset_snapshot_download": lambda: dataset_snapshot_download("org/data"),
    "modelscope_hub.snapshot_download": lambda: ms_hub.snapshot_download("org/name", revision="v1.0.0"),
    "modelscope_hub.dataset_file_download": lambda: ms_hub.dataset_file_download("org/data", "sub/x.txt"),
    "HubApi().download_repo": lambda: HubApi().download_repo("org/name", "model", revision="v1.0.0"),
    "HubApi().download_file": lambda: HubApi().download_file("org/data", "dataset", "sub/x.txt"),
    "modelscope.HubApi().download_model": lambda: LegacyHubApi().download_model("org/name", revision="v1.0.0"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_every_way_to_download(hub: FakeHub, call: Callable[[], object]) -> None:
    """However a program downloads, the dead first endpoint is left for the second one, and the path is the SDK's."""
    with mirrorhub.install():
        path = Path(call())  # type: ignore[arg-type]
    assert (path if path.is_file() else path / "sub/x.txt").read_bytes() == FILES["sub/x.txt"]
    # The path stands where the SDK itself looks: now it is asked, and offline.
    assert os.fspath(path).startswith((os.environ["MODELSCOPE_CACHE"], os.environ["HF_HUB_CACHE"]))


def test_modelscopes_default_revisions(hub: FakeHub) -> None:
    """The function for one file begins at the newest tag in modelscope, and at the branch in modelscope_hub."""
    with mirrorhub.install():
        assert "v1.0.0" in model_file_download("org/name", "sub/x.txt")
        assert "master" in ms_hub.model_file_download("org/name", "late.txt")
        assert "master" in str(HubApi().download_file("org/name", "model", "late.txt"))


def test_nothing_is_left() -> None:
    """After the block every function is what it was; while it lasts, each is itself and looks as it did."""
    functions, before, finders = led_functions(), states(), list(sys.meta_path)
    assert len(functions) >= 10
    looks = {name: (function, inspect.signature(function)) for name, function in functions.items()}
    with mirrorhub.install():
        assert {name: (function, inspect.signature(function)) for name, function in led_functions().items()} == looks
        assert [name for name, function in functions.items() if function.__name__ != name.rpartition(".")[2]] == []
        assert pickle.loads(pickle.dumps(hf_hub_download)) is hf_hub_download
        assert "def snapshot_download" in inspect.getsource(ms_snapshot_download)
        assert led()
    assert states() == before
    assert sys.meta_path == finders


def led() -> bool:
    """Whether the SDKs' functions go along the chain just now."""
    return requests.Session.send.__code__.co_filename.endswith("detour.py")


def test_blocks_in_blocks() -> None:
    """The outermost block takes it back; a call without a block stays until `uninstall`, however often it was made."""
    with mirrorhub.install():
        with mirrorhub.install():
            assert led()
        assert led()
    assert not led()
    mirrorhub.install()
    with mirrorhub.install():
        mirrorhub.install()
    assert led()
    mirrorhub.uninstall()
    assert not led()
    mirrorhub.uninstall()


def test_blocks_in_threads() -> None:
    """Blocks of many threads overlap as they like: inside each it holds, and after the last nothing is left."""
    before = states()
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            with mirrorhub.install():
                wrong.extend([number] * (not led()))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert states() == before


def test_errors_are_the_sdks(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program catches is what it would have caught, and ours, too."""
    monkeypatch.setenv("MIRRORHUB_ENDPOINTS", hub.url)
    with mirrorhub.install():
        with pytest.raises(EntryNotFoundError) as missing:
            hf_hub_download("org/name", "none.txt")
        with pytest.raises(requests.HTTPError):
            ms_snapshot_download("org/none")
        with pytest.raises(NotExistError) as none:
            HubApi().download_repo("org/none", "model")
    assert isinstance(missing.value, MirrorHubError)
    assert isinstance(none.value, MirrorHubError)


def test_what_the_chain_does_not_do(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of repository that is not ours, a listing that the caller brings: the SDK does it itself."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(hub.ca_file))
    with mirrorhub.install():
        with pytest.raises(ValueError, match="repo type"):
            snapshot_download("org/name", repo_type="nope")
        with pytest.raises(NotSupportedError):
            HubApi().download_repo("org/name", "studio")
        HubApi(endpoint=hub.url).download_repo("org/name", "model", file_list=[{"Path": "config.json"}])
    assert not hub.log.requests(kind="listing")
    assert set(hub.log.bytes_sent_by_file()) == {"config.json"}


def test_questions_beside_files(hub: FakeHub) -> None:
    """What an SDK asks of a repository goes along the chain, page after page, where its own address is dead."""
    hub.site.repos[1].commit({f"{number}.txt": b"" for number in range(5)})
    with mirrorhub.install():
        api = HfApi(token="hf_secret")
        assert api.model_info("org/name").sha == hub.site.repos[1].head.id
        listed = {entry.path for entry in api.list_repo_tree("org/name", recursive=True)}
        assert HubApi(token="ms_secret").get_repo("org/name", "model").id == "org/name"
        with pytest.raises(EntryNotFoundError):
            list(api.list_repo_tree("org/name", path_in_repo="none"))
    assert listed >= set(hub.site.repos[1].files)
    # The tokens were for the SDKs' own addresses.
    assert {request.headers.get("authorization") for request in hub.log.requests()} == {None}


def test_a_page_that_is_said_to_be_elsewhere(hub: FakeHub) -> None:
    """A mirror cannot send the SDK, and its token, to another host for the next page of a listing."""
    hub.site.repos[1].commit({f"{number}.txt": b"" for number in range(5)})
    with FakeHub([], name="thief") as thief:
        hub.set_faults(Relink(f'<{thief.url}/elsewhere?{{query}}>; rel="next"'))
        with mirrorhub.install(), pytest.raises(Exception, match="next page"):
            # Without the SDK's own wait before it asks again.
            get_session().get(f"{ENDPOINT}/api/models/org/name/tree/main", headers=build_hf_headers(token="hf_secret"))
        assert not thief.log.requests()


def test_a_private_repository_at_the_sdks_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK's own address refuses who brings no token, the SDK asks it by itself, with the one it has."""
    repo = FakeRepo("modelscope", "org/name", FILES)
    repo.private = True
    with FakeHub([repo], token="ms_secret") as own, FakeHub([]) as mirror:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", own.url)
        monkeypatch.setenv("MIRRORHUB_ENDPOINTS", f"{own.url} {mirror.url}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own.ca_file))
        with mirrorhub.install():
            assert HubApi(token="ms_secret").get_repo("org/name", "model").id == "org/name"
        assert not mirror.log.tokens_seen()


def test_the_head_of_a_file(hub: FakeHub) -> None:
    """Whether a file is there, how large it is and what a download would bring is answered from the listing."""
    with mirrorhub.install():
        assert file_exists("org/name", "sub/x.txt")
        assert not file_exists("org/name", "none.txt")
        assert not file_exists("org/none", "x.txt")
        assert get_hf_file_metadata(hf_hub_url("org/name", "sub/x.txt")).size == 3000
        (found,) = snapshot_download("org/name", allow_patterns="*.txt", dry_run=True)
    assert (found.filename, found.file_size, found.will_download) == ("sub/x.txt", 3000, True)
    assert not hub.log.bytes_sent_by_file()


def test_offline(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a repository is there is answered from disk, offline and where nobody answers; else offline is said."""
    with mirrorhub.install():
        ms_snapshot_download("org/name", "v1.0.0")
        hub.stop()
        assert LegacyHubApi().get_model("org/name")["Name"] == "name"
        monkeypatch.setenv("MODELSCOPE_OFFLINE", "True")
        monkeypatch.setenv("MIRRORHUB_OFFLINE", "1")
        assert LegacyHubApi().get_model("org/name")["Name"] == "name"
        with pytest.raises(Exception, match="MIRRORHUB_OFFLINE says to be offline"):
            HfApi().model_info("org/name")


QUESTIONS = {
    "GET huggingface /api/models/org/name": Repo("huggingface", "org/name"),
    "GET huggingface /api/models/gpt2": Repo("huggingface", "gpt2"),
    "GET huggingface /api/models/gpt2/tree/main?recursive=true": Repo("huggingface", "gpt2"),
    "GET huggingface /api/datasets/org/data/revision/refs%2Fpr%2F1": Repo("huggingface", "org/data", "dataset"),
    "HEAD huggingface /org/name/resolve/main/sub/x.txt": Repo("huggingface", "org/name"),
    "HEAD huggingface /gpt2/resolve/main/x.txt": Repo("huggingface", "gpt2"),
    "HEAD huggingface /spaces/org/app/resolve/main/x.txt": Repo("huggingface", "org/app", "space"),
    "GET modelscope /openapi/v1/models/org/name": Repo("modelscope", "org/name"),
    "GET modelscope /api/v1/datasets/org/data/revisions": Repo("modelscope", "org/data", "dataset"),
    "GET huggingface /org/name/resolve/main/sub/x.txt": None,
    "GET huggingface /api/models?search=bert": None,
    "GET huggingface /api/whoami-v2": None,
    "POST huggingface /api/models/org/name/commit/main": None,
    "GET modelscope /api/v1/models/org/name/repo?Revision=master&FilePath=x.txt": None,
    "GET modelscope /api/v1/login": None,
}


@pytest.mark.parametrize(("line", "repo"), QUESTIONS.items(), ids=list(QUESTIONS))
def test_what_is_a_question(line: str, repo: Repo | None) -> None:
    """What reads about one repository is a question; files, searches, accounts and all that writes is none."""
    method, hub_name, path = line.split()
    question = question_of(hub_name, method, "https://hub.test", path, False)  # type: ignore[arg-type]
    assert (question.repo if question else None) == repo


def test_a_mirror_that_knows_only_files(hub: FakeHub) -> None:
    """Where nobody can tell of a repository, but its files can be had, modelscope is told that it is there."""
    hub.set_faults(Rule(Html(), "revision"))
    with mirrorhub.install():
        assert LegacyHubApi().get_model("org/name")["Name"] == "name"
        with pytest.raises(NotExistError):
            LegacyHubApi().get_model("org/none")


def test_a_silent_address(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's own address that accepts and says nothing keeps a question waiting for no more than a second or two."""
    with FakeHub([], [HangOnAccept()]) as silent:
        monkeypatch.setenv("MIRRORHUB_ENDPOINTS", f"{silent.url} {hub.url}")
        with mirrorhub.install():
            assert HfApi().model_info("org/name").sha == hub.site.repos[1].head.id


def test_requests_of_others(hub: FakeHub) -> None:
    """Only what an SDK signs goes along the chain: a program's own request meets what it is sent to."""
    with mirrorhub.install(), pytest.raises(requests.ConnectionError):
        requests.get(f"{DEAD}/openapi/v1/models/org/name", timeout=5)


LATE = """
import json, sys, types
import mirrorhub
with mirrorhub.install():
    heavy = [name for name in ("huggingface_hub", "modelscope", "modelscope_hub", "asyncio") if name in sys.modules]
    from huggingface_hub import hf_hub_download
    import modelscope
    paths = [hf_hub_download("org/name", "config.json"), modelscope.snapshot_download("org/name")]
import huggingface_hub.file_download as home
print(json.dumps([heavy, paths, home.__loader__.__class__.__name__, vars(home.__loader__)]))
"""


def test_an_sdk_that_comes_later(hub: FakeHub) -> None:
    """`install` imports no SDK; one that is imported later is led all the same, and its loader stays its own."""
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, text=True, timeout=50, check=True)
    heavy, paths, loader, changed = json.loads(done.stdout)
    assert heavy == []
    assert all(Path(path).exists() for path in paths)
    assert (loader, sorted(changed)) == ("SourceFileLoader", ["name", "path"])
