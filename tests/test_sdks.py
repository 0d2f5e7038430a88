"""The official SDKs find what was fetched, and what they fetched is found: the installed ones, offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorhub import fetch, file_download, load_vad, snapshot_download
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import sample_bytes

FILES = {"config.json": b"{}", "sub/x.txt": b"x" * 3000, "model.bin": sample_bytes("model", 300_000)}


def run(program: str, *arguments: str, **environment: str) -> str:
    """Run a program in another process: the SDKs read their variables when they are imported."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_modelscope_finds_it_offline() -> None:
    """Modelscope's own look-up returns the same directory, and no request is made."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        path = snapshot_download("org/name", endpoints=hub.url)
        asked = len(hub.log.requests())
        program = (
            "import sys; from modelscope import snapshot_download; "
            "print(snapshot_download('org/name', local_files_only=True))"
        )
        assert run(program, MODELSCOPE_ENDPOINT=hub.url) == path
        assert len(hub.log.requests()) == asked


def test_modelscope_fetches_nothing_again() -> None:
    """Online, modelscope takes our files for its own after comparing them with the listing."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        path = snapshot_download("org/name", endpoints=hub.url)
        hub.log.clear()
        program = "from modelscope import snapshot_download; print(snapshot_download('org/name'))"
        assert run(program, MODELSCOPE_ENDPOINT=hub.url, REQUESTS_CA_BUNDLE=str(hub.ca_file)) == path
        assert not hub.log.requests(kind="body")


def test_huggingface_finds_it_offline() -> None:
    """huggingface_hub's own look-ups return the same paths, and no request is made."""
    with FakeHub([Repo("huggingface", "org/name", FILES)]) as hub:
        path = snapshot_download("hf://org/name", endpoints=hub.url)
        asked = len(hub.log.requests())
        program = (
            "from huggingface_hub import snapshot_download, hf_hub_download; "
            "assert hf_hub_download('org/name', 'sub/x.txt', local_files_only=True); "
            "print(snapshot_download('org/name', local_files_only=True))"
        )
        assert run(program, HF_ENDPOINT=hub.url) == path
        # With a fresh home the SDK looks for news of its own accord; it asks nothing about the repository.
        assert [request.path for request in hub.log.requests()[asked:] if request.kind != "other"] == []


def test_huggingface_fetches_nothing_again() -> None:
    """Online, huggingface_hub takes our blobs for its own."""
    with FakeHub([Repo("huggingface", "org/name", FILES)]) as hub:
        path = snapshot_download("hf://org/name", endpoints=hub.url)
        hub.log.clear()
        program = "from huggingface_hub import snapshot_download; print(snapshot_download('org/name'))"
        assert run(program, HF_ENDPOINT=hub.url, HF_HUB_DISABLE_XET="1") == path
        assert not [request for request in hub.log.requests(kind="body") if request.method == "GET"]


def test_their_scans_see_it() -> None:
    """Both SDKs' cache scans list the repository, and neither warns of our notes."""
    repos = [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]
    with FakeHub(repos) as hub:
        snapshot_download("org/name", endpoints=hub.url)
        snapshot_download("hf://org/name", endpoints=hub.url)
    program = (
        "import json; from huggingface_hub import scan_cache_dir; s = scan_cache_dir(); "
        "print(json.dumps([[r.repo_id, r.nb_files] for r in s.repos] + [str(w) for w in s.warnings]))"
    )
    assert json.loads(run(program)) == [["org/name", 3]]
    ms_hub = Path(sys.executable).with_name("ms-hub")
    done = subprocess.run([ms_hub, "cache", "scan"], capture_output=True, text=True, timeout=50, check=True)
    assert "org/name" in done.stdout
    assert "mirrorhub" not in done.stdout


@pytest.mark.parametrize(("hub_name", "prefix"), [("modelscope", "ms://"), ("huggingface", "hf://")])
def test_what_an_sdk_stored_is_a_hit(hub_name: str, prefix: str) -> None:
    """Files that an SDK fetched are compared with the listing and not fetched again; offline they are found too."""
    program = {
        "modelscope": "from modelscope import snapshot_download; print(snapshot_download('org/name'))",
        "huggingface": "from huggingface_hub import snapshot_download; print(snapshot_download('org/name'))",
    }[hub_name]
    with FakeHub([Repo(hub_name, "org/name", FILES)]) as hub:
        path = run(program, MODELSCOPE_ENDPOINT=hub.url, HF_ENDPOINT=hub.url, REQUESTS_CA_BUNDLE=str(hub.ca_file))
        found = fetch(f"{prefix}org/name", local_files_only=True)
        assert (str(found.path), found.verified) == (path, False)
        hub.log.clear()
        snapshot = fetch(f"{prefix}org/name", endpoints=hub.url)
        assert (str(snapshot.path), snapshot.verified) == (path, True)
        assert not hub.log.requests(kind="body")


def test_one_file() -> None:
    """One file lands where the whole snapshot would have it, and the rest is not fetched."""
    with FakeHub([Repo("huggingface", "org/name", FILES)]) as hub:
        path = Path(file_download("org/name", "sub/x.txt", hub="huggingface", endpoints=hub.url))
        assert path.read_bytes() == FILES["sub/x.txt"]
        assert set(hub.log.bytes_sent_by_file()) == {"sub/x.txt"}


def test_a_detector_from_a_hub(model_dir: Path) -> None:
    """`load_vad` asks for the four files it reads, without a listing, and nothing else of the repository."""
    files = {file.name: file.read_bytes() for file in model_dir.iterdir()}
    repo = Repo("modelscope", "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch", {**files, "example/asr.wav": b"RIFF"})
    with FakeHub([repo]) as hub:
        vad = load_vad(endpoints=hub.url)
        assert {request.file for request in hub.log.requests()} == {
            "am.mvn",
            "config.yaml",
            "configuration.json",
            "model.pt",
        }
    assert load_vad(local_files_only=True).path == vad.path
