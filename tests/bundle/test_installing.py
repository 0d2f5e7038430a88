"""A kit's models come into the SDKs' caches whole, or not at all; run again, the installer goes on, or is done."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mirrorhub import errors, fetch
from mirrorhub.bundle.kit.project import place_lock
from mirrorhub.bundle.kit.script import main as install_script
from mirrorhub.bundle.kit.script import opened_kit
from mirrorhub.bundle.kit.words import KitError
from mirrorhub.cli import main
from tests.bundle import FILES
from tests.fakehub import FakeHub, Repo
from tests.fakehub.repo import sample_bytes

Capture = pytest.CaptureFixture[str]
SNAPSHOT = "models/org--name/snapshots/master"


@pytest.fixture
def kit_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kit with a model of each hub; the caches in which it was made are others."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "made" / "ms"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "made" / "hf"))
    repos = [Repo("modelscope", "org/name", FILES), Repo("huggingface", "org/name", FILES)]
    kit = tmp_path / "kit.zip"
    with FakeHub(repos) as hub:
        models = ["org/name", "hf://org/name@main"]
        assert main(["bundle", "create", *models, "--endpoint", hub.url, "-o", str(kit)]) == 0
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "ms"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
    return kit


def contents_of(folder: str | Path) -> dict[str, bytes]:
    """Every file of a snapshot."""
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def fill(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def stamps_below(folder: Path) -> dict[str, int]:
    """When each file and folder was changed."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_both_sdks_find_it(kit_of_both: Path) -> None:
    """What the installer alone has placed, modelscope and huggingface_hub find offline, each in its own layout."""
    import huggingface_hub
    import modelscope

    assert install_script([str(kit_of_both)]) == 0
    # Named, because an SDK that was imported before keeps to the caches of that time.
    ms, hf = os.environ["MODELSCOPE_CACHE"], os.environ["HF_HUB_CACHE"]
    theirs = modelscope.snapshot_download("org/name", cache_dir=ms, local_files_only=True)
    assert contents_of(theirs) == FILES
    snapshot = huggingface_hub.snapshot_download("org/name", cache_dir=hf, local_files_only=True)
    assert contents_of(snapshot) == FILES
    assert all(path.is_symlink() for path in Path(snapshot).rglob("*") if not path.is_dir())
    assert len(huggingface_hub.scan_cache_dir(hf).repos) == 1


@pytest.mark.parametrize("name", ["org/name", "hf://org/name"])
def test_mirrorhub_knows_it(name: str, kit_of_both: Path) -> None:
    """Mirrorhub finds it verified, and vouched for by the kit; that counts where only locks and pins do."""
    assert install_script([str(kit_of_both)]) == 0
    found = fetch(name, local_files_only=True)
    assert contents_of(found.path) == FILES
    assert found.verified
    assert found.vouched_by.kind == "lock"
    assert found.vouched_by.name.startswith("kit ")


def test_the_second_run(kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """Run again, it says that there is nothing to do, and does nothing."""
    assert install_script([str(kit), "--lang", "en"]) == 0
    assert "(files: 4)" in capsys.readouterr().out
    before = stamps_below(tmp_path / "ms")
    assert install_script([str(kit), "--lang", "en"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert stamps_below(tmp_path / "ms") == before


def test_a_changed_file(kit_of_both: Path, tmp_path: Path) -> None:
    """A file that was changed in the cache, a blob for one, is mended; what is right stays as it is."""
    assert install_script([str(kit_of_both)]) == 0
    changed = [tmp_path / "ms" / SNAPSHOT / "model.bin", *(tmp_path / "hf/models--org--name/blobs").iterdir()]
    for path in changed:
        path.write_bytes(b"?" * path.stat().st_size)
    kept = (tmp_path / "ms" / SNAPSHOT / "config.json").stat().st_ino
    assert install_script([str(kit_of_both)]) == 0
    assert contents_of(tmp_path / "ms" / SNAPSHOT) == FILES
    assert contents_of(fetch("hf://org/name", local_files_only=True, verify=True).path) == FILES
    assert (tmp_path / "ms" / SNAPSHOT / "config.json").stat().st_ino == kept


def test_an_older_revision_is_there(kit: Path, tmp_path: Path) -> None:
    """What an older state of the branch had and the kit does not list is gone then; a user's own file stays."""
    with FakeHub([Repo("modelscope", "org/name", {"config.json": b"old", "gone.txt": b"gone"})]) as older:
        fetch("org/name", endpoints=older.url)
    snapshot = tmp_path / "ms" / SNAPSHOT
    (snapshot / "mine.txt").write_bytes(b"mine")
    assert install_script([str(kit)]) == 0
    assert contents_of(snapshot) == {**FILES, "mine.txt": b"mine"}


def test_a_part_of_a_repository(tmp_path: Path) -> None:
    """Of a part no call takes it that it is the whole: what is missing is missed, what is there is found."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        arguments = ["--endpoint", hub.url, "--cache-dir", str(tmp_path / "made"), "-o", str(tmp_path / "kit.zip")]
        assert main(["bundle", "create", "org/name", "--include", "*.json", *arguments]) == 0
    assert install_script([str(tmp_path / "kit.zip")]) == 0
    assert fetch("org/name", allow_patterns="*.json", local_files_only=True).files == ("config.json",)
    with pytest.raises(errors.NotCachedError):
        fetch("org/name", local_files_only=True)


def test_other_caches(kit_of_both: Path, tmp_path: Path, capsys: Capture) -> None:
    """The caches can be named; then it is said which variables lead programs there."""
    arguments = ["--modelscope-cache", str(tmp_path / "a"), "--huggingface-cache", str(tmp_path / "b")]
    assert install_script([str(kit_of_both), *arguments, "--lang", "en"]) == 0
    assert contents_of(tmp_path / "a" / SNAPSHOT) == FILES
    assert (tmp_path / "b/models--org--name/refs/main").is_file()
    assert f"MODELSCOPE_CACHE={tmp_path / 'a'} HF_HUB_CACHE={tmp_path / 'b'}" in capsys.readouterr().out
    assert not (tmp_path / "ms").exists()


def test_an_unpacked_kit(kit_members: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    """A folder where a kit was unpacked is a kit; what else lies in it is left alone, but not among the members."""
    folder = tmp_path / "folder"
    fill(folder, kit_members)
    (folder / ".DS_Store").write_bytes(b"theirs")
    assert install_script([str(folder)]) == 0
    assert contents_of(tmp_path / "ms" / SNAPSHOT) == FILES
    (folder / "models" / "planted").write_bytes(b"evil")
    assert install_script([str(folder), "--lang", "en"]) == 1
    assert "models/planted: is not listed" in capsys.readouterr().err


def test_a_link_in_an_unpacked_kit(kit_members: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    """A link in it is refused: what it leads to may be anything."""
    folder = tmp_path / "folder"
    fill(folder, kit_members)
    member = next((folder / "models").iterdir())
    member.rename(tmp_path / "elsewhere")
    member.symlink_to(tmp_path / "elsewhere")
    assert install_script([str(folder), "--lang", "en"]) == 1
    assert f"models/{member.name}: is a link" in capsys.readouterr().err


def test_a_linked_manifest(kit_members: dict[str, bytes], tmp_path: Path, capsys: Capture) -> None:
    """Nor may the manifest of an unpacked kit be a link."""
    folder = tmp_path / "folder"
    fill(folder, kit_members)
    (folder / "manifest.json").rename(tmp_path / "elsewhere")
    (folder / "manifest.json").symlink_to(tmp_path / "elsewhere")
    assert install_script([str(folder), "--lang", "en"]) == 1
    assert "manifest.json: is a link" in capsys.readouterr().err


def test_links_of_a_dead_run(kit_of_both: Path, tmp_path: Path) -> None:
    """Links that an ended run had made and not yet placed go; what is called otherwise, or is a file, stays."""
    own = tmp_path / "hf" / "models--org--name" / ".mirrorhub"
    fill(own, {"link-0123456789abcdef": b"mine"})
    for name in ("link-fedcba9876543210", "link-mine"):
        (own / name).symlink_to("nowhere")
    assert install_script([str(kit_of_both)]) == 0
    assert sorted(path.name for path in own.glob("link-*")) == ["link-0123456789abcdef", "link-mine"]


PLANTED = {
    "the snapshot": SNAPSHOT,
    "the snapshots": "models/org--name/snapshots",
    "a folder in the snapshot": f"{SNAPSHOT}/sub",
    "our own folder": "models/org--name/.mirrorhub",
    "what waits": "models/org--name/.mirrorhub/ready",
    "the notes": "models/org--name/.mirrorhub/notes",
}


@pytest.mark.parametrize("place", PLANTED.values(), ids=PLANTED)
def test_a_planted_link(place: str, kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """Nothing is written, believed or removed through a link that stands in the place of one of the folders."""
    outside = tmp_path / "outside"
    fill(outside, {**FILES, "x.txt": b"x", "mine.kit": b"mine", "ready/mine.kit": b"mine"})
    fill(outside / "master", FILES)
    before = stamps_below(outside)
    link = tmp_path / "ms" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    assert install_script([str(kit), "--lang", "en"]) == 1
    assert f"{link}: a symbolic link stands" in capsys.readouterr().err
    assert stamps_below(outside) == before


def test_a_planted_link_to_a_file(kit: Path, tmp_path: Path) -> None:
    """A link in the place of a file is replaced, and what it leads to stays as it is."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"theirs")
    link = tmp_path / "ms" / SNAPSHOT / "config.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    assert install_script([str(kit)]) == 0
    assert outside.read_bytes() == b"theirs"
    assert contents_of(tmp_path / "ms" / SNAPSHOT) == FILES


def test_a_file_where_the_cache_belongs(kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """What the disk refuses is told in one line."""
    (tmp_path / "ms").write_bytes(b"")
    assert install_script([str(kit), "--lang", "en"]) == 1
    told = capsys.readouterr().err
    assert str(tmp_path / "ms") in told
    assert told.count("\n") == 1


KILLED = 9


def killed_at(number: int, work: Callable[[], object]) -> int:
    """Do something in a process that ends, as if it were killed, at its n-th step that changes a disk."""
    child = os.fork()
    if child == 0:  # pragma: no cover - ends without telling anybody
        left = number

        def hook(event: str, arguments: object) -> None:
            nonlocal left
            if event in ("os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir"):
                left -= 1
                if left < 0:
                    os._exit(KILLED)

        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.addaudithook(hook)
        os._exit(0 if work() == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_any_moment(stride: int, kit_of_both: Path, tmp_path: Path) -> None:
    """Ended at whatever step, nothing half-done is to be seen, and the next run ends well."""
    steps = 0
    while True:
        for cache in ("ms", "hf"):
            _remove(tmp_path / cache)
        code = killed_at(steps, lambda: install_script([str(kit_of_both)]))
        for snapshot in (tmp_path / "ms" / SNAPSHOT, *(tmp_path / "hf/models--org--name/snapshots").glob("*")):
            assert not snapshot.exists() or contents_of(snapshot) == FILES
        assert install_script([str(kit_of_both)]) == 0
        assert contents_of(tmp_path / "ms" / SNAPSHOT) == FILES
        assert not list(tmp_path.rglob("*.kit"))
        if code == 0:
            break
        assert code == KILLED
        steps += stride
    assert steps > 30


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def test_what_was_checked_is_not_unpacked_again(kit: Path, kit_members: dict[str, bytes], tmp_path: Path) -> None:
    """After a run that was ended the kit need not even have what has been checked: its bytes are not read again."""
    code = 0
    for steps in range(100):
        _remove(tmp_path / "ms")
        code = killed_at(steps, lambda: install_script([str(kit)]))
        ready = tmp_path / "ms/models/org--name/.mirrorhub/ready"
        if code == 0 or (ready.is_dir() and sum("." not in path.name for path in ready.iterdir()) == 3):
            break
    assert code == KILLED
    before = {path.name: path.stat().st_ino for path in ready.iterdir() if "." not in path.name}
    assert install_script([str(kit)]) == 0
    placed = {path.stat().st_ino for path in (tmp_path / "ms" / SNAPSHOT).rglob("*") if path.is_file()}
    assert set(before.values()) <= placed


def test_no_links_can_be_made(kit_of_both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no links, huggingface_hub's snapshot has the files themselves."""
    import huggingface_hub

    monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    assert install_script([str(kit_of_both)]) == 0
    snapshot = huggingface_hub.snapshot_download("org/name", local_files_only=True)
    assert contents_of(snapshot) == FILES
    assert not any(path.is_symlink() for path in Path(snapshot).rglob("*"))
    assert install_script([str(kit_of_both)]) == 0


def test_the_digest_that_was_printed(kit: Path, capsys: Capture) -> None:
    """`--sha256` is of the manifest, which stands for the whole kit, or of the file; any other is refused at once."""
    assert main(["bundle", "verify", str(kit), "--json"]) == 0
    digest = json.loads(capsys.readouterr().out)["sha256"]
    assert install_script([str(kit), "--sha256", digest]) == 0
    assert install_script([str(kit), "--sha256", hashlib.sha256(kit.read_bytes()).hexdigest()]) == 0
    capsys.readouterr()
    assert install_script([str(kit), "--sha256", "0" * 64, "--lang", "en"]) == 1
    assert f"its manifest's sha256 is {digest}" in capsys.readouterr().err
    assert install_script([str(kit), "--sha256", "00"]) == 2


def test_verify_writes_nothing(kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """`verify` says what is in a kit and that it is right, and writes nothing."""
    before = stamps_below(tmp_path)
    assert main(["bundle", "verify", str(kit)]) == 0
    told = capsys.readouterr().out
    assert "model org/name@master (files: 4, " in told
    assert "verified: all 9 members are as listed" in told
    assert stamps_below(tmp_path) == before


def test_the_locked_models(kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """The kit's lock file can be put into a project; another kit is held against it, and the difference is shown."""
    assert main(["bundle", "install", str(kit), "--lockfile-to", str(tmp_path)]) == 0
    lock = tmp_path / "mirrorhub.lock"
    assert main(["bundle", "verify", str(kit), "--lockfile", str(lock)]) == 0
    lock.write_text(lock.read_text().replace('"same.txt"', '"other.txt"'))
    capsys.readouterr()
    assert main(["bundle", "install", str(kit), "--lockfile", str(lock)]) == 1
    told = capsys.readouterr().err
    assert "extra: same.txt" in told
    assert "removed: other.txt" in told


def test_another_lock_file_is_there(kit: Path, tmp_path: Path, capsys: Capture) -> None:
    """A project's own lock file is not replaced, which is said before anything is done; an equal one stays."""
    lock, arguments = tmp_path / "mirrorhub.lock", [str(kit), "--lang", "en", "--lockfile-to", str(tmp_path)]
    lock.write_bytes(b"version = 1\n")
    assert install_script(arguments) == 1
    assert f"{lock}: another lock file is there, and is not replaced" in capsys.readouterr().err
    assert lock.read_bytes() == b"version = 1\n"
    assert not (tmp_path / "ms").exists()
    lock.unlink()
    assert install_script(arguments) == 0
    before = lock.stat().st_ino
    assert install_script(arguments) == 0
    assert lock.stat().st_ino == before
    assert install_script([*arguments[:-1], str(tmp_path / "nowhere")]) == 1
    assert "nowhere: there is no such file or folder" in capsys.readouterr().err


def test_a_lock_file_that_changes_meanwhile(kit_members: dict[str, bytes], tmp_path: Path) -> None:
    """A lock file that is changed in an unpacked kit, after all was checked, does not get into a project."""
    folder, project = tmp_path / "folder", tmp_path / "project"
    fill(folder, kit_members)
    project.mkdir()
    opened, contents = opened_kit(str(folder), None)
    (folder / "mirrorhub.lock").write_bytes(kit_members["mirrorhub.lock"].swapcase())
    with pytest.raises(KitError, match="is damaged or was altered"):
        place_lock(opened, contents, project)
    assert list(project.iterdir()) == []


def test_the_modes_of_what_is_placed(kit: Path, tmp_path: Path) -> None:
    """Caches are shared: files are readable as the user's umask says; our note is the user's own."""
    old = os.umask(0o022)
    try:
        assert install_script([str(kit)]) == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "ms" / SNAPSHOT / "model.bin").stat().st_mode) == 0o644
    notes = tmp_path / "ms/models/org--name/.mirrorhub/notes"
    assert [stat.S_IMODE(path.stat().st_mode) for path in _files(notes)] == [0o600]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file())


def test_nobody_has_a_home(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A user without a home, as in some containers, is told what to name, and then needs nothing else."""
    monkeypatch.setattr(Path, "home", lambda: Path("~nobody-of-this-name").expanduser())
    monkeypatch.delenv("MODELSCOPE_CACHE")
    assert install_script([str(kit), "--lang", "en"]) == 2
    assert "this user has no home folder" in capsys.readouterr().err
    named = ["--modelscope-cache", str(tmp_path / "a"), "--huggingface-cache", str(tmp_path / "b")]
    assert install_script([str(kit), *named]) == 0


def test_no_kit_is_named(capsys: Capture) -> None:
    """Without a kit, or with one that is not there, it says what to type."""
    assert install_script(["--lang", "en"]) == 2
    assert "say which kit" in capsys.readouterr().err
    assert install_script(["nowhere.zip", "--lang", "zh"]) == 1
    assert "nowhere.zip: 没有这个文件或文件夹" in capsys.readouterr().err


def test_the_same_kit_again(tmp_path: Path) -> None:
    """Equal content gives an equal file, byte for byte; one that is there is replaced only with --force."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        arguments = ["bundle", "create", "org/name", "--endpoint", hub.url, "-o"]
        assert main([*arguments, str(tmp_path / "a.zip")]) == 0
        assert main([*arguments, str(tmp_path / "b.zip")]) == 0
        kit = (tmp_path / "a.zip").read_bytes()
        assert (tmp_path / "b.zip").read_bytes() == kit
        (tmp_path / "b.zip").write_bytes(b"precious")
        assert main([*arguments, str(tmp_path / "b.zip")]) == 2
        assert (tmp_path / "b.zip").read_bytes() == b"precious"
        assert main([*arguments, str(tmp_path / "b.zip"), "--force"]) == 0
    assert (tmp_path / "b.zip").read_bytes() == kit


def test_a_cache_that_changed_before_it_was_packed(tmp_path: Path, capsys: Capture) -> None:
    """Bytes that are no longer what was checked get into no kit, and nothing is left of it."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        path = fetch("org/name", endpoints=hub.url).path / "model.bin"
        status = path.stat()
        path.write_bytes(b"?" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        arguments = ["--endpoint", hub.url, "-o", str(tmp_path / "out" / "kit.zip")]
        assert main(["bundle", "create", "org/name", *arguments]) == 1
    assert f"{path}: is not what it was when it was checked; `mirrorhub cache verify" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("patterns", [(), ("--include", "*.json", "--exclude", "sub/*")], ids=["the whole", "a part"])
def test_a_project_that_is_locked_to_the_kit(
    patterns: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the kit's lock file in the project its models are found offline, and count as locked."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        arguments = ["--endpoint", hub.url, "--cache-dir", str(tmp_path / "made"), "-o", str(tmp_path / "kit.zip")]
        assert main(["bundle", "create", "org/name", *patterns, *arguments]) == 0
    project = tmp_path / "home" / "project"
    (project / ".git").mkdir(parents=True)
    assert install_script([str(tmp_path / "kit.zip"), "--lockfile-to", str(project)]) == 0
    monkeypatch.chdir(project)
    wanted = {"allow_patterns": "*.json", "ignore_patterns": "sub/*"} if patterns else {}
    found = fetch("org/name", local_files_only=True, trust="lock", **wanted)  # type: ignore[arg-type]
    assert set(found.files) == ({"config.json"} if patterns else set(FILES))
    assert (found.verified, found.vouched_by.kind) == (True, "lock")
    assert main(["bundle", "verify", str(tmp_path / "kit.zip"), "--lockfile", str(project / "mirrorhub.lock")]) == 0


def test_the_note_is_as_mirrorhub_writes_it(kit_of_both: Path, tmp_path: Path) -> None:
    """What the installer notes is what a download would have noted, but for who vouched and who gave the bytes."""
    assert install_script([str(kit_of_both)]) == 0

    def noted(cache: Path) -> list[dict[str, object]]:
        notes = [json.loads(path.read_bytes()) for path in sorted(cache.rglob(".mirrorhub/notes/*.json"))]
        rows = [
            {name: row[name] for name in row if name not in ("from", "stamp")}
            for note in notes
            for row in note["files"]
        ]
        others = [{name: note[name] for name in note if name not in ("files", "vouched_by")} for note in notes]
        return rows + others

    for name in ("ms", "hf"):
        assert noted(tmp_path / name) == noted(tmp_path / "made" / name)
        assert len(noted(tmp_path / name)) == 5


ODD = {"a b/ü.txt": b"", "empty": b"", "x.bin": sample_bytes("odd", 300_000), "deep/er/x.bin": b"q"}


def test_datasets_and_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kit holds whatever a hub has, under names of all kinds, empty files among them."""
    import huggingface_hub

    kinds = (("huggingface", "dataset"), ("modelscope", "dataset"), ("huggingface", "space"))
    names = ["hf://datasets/org/name", "ms://datasets/org/name", "hf://spaces/org/name"]
    with FakeHub([Repo(hub, "org/name", ODD, repo_type=kind) for hub, kind in kinds]) as hub:  # type: ignore[arg-type]
        arguments = ["--endpoint", hub.url, "-o", str(tmp_path / "kit.zip")]
        assert main(["bundle", "create", *names, *arguments]) == 0
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "other-ms"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "other-hf"))
    assert main(["bundle", "install", str(tmp_path / "kit.zip")]) == 0
    for name in names:
        found = fetch(name, local_files_only=True)
        assert (contents_of(found.path), found.verified) == (ODD, True)
    cache = str(tmp_path / "other-hf")
    theirs = huggingface_hub.snapshot_download("org/name", repo_type="dataset", local_files_only=True, cache_dir=cache)
    assert contents_of(theirs) == ODD


FULL = """
import resource, signal, sys
from mirrorhub.bundle.kit.script import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks of POSIX")
def test_what_is_half_written(kit: Path, tmp_path: Path) -> None:
    """What a dead installer has left half-written goes; what a living one is writing just now stays."""
    import fcntl

    ready = tmp_path / "ms/models/org--name/.mirrorhub/ready"
    fill(ready, {"sha256-0.dead.kit": b"half", "sha256-0.living.kit": b"half"})
    with (ready / "sha256-0.living.kit").open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert install_script([str(kit)]) == 0
    assert [path.name for path in ready.iterdir()] == ["sha256-0.living.kit"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits")
def test_the_disk_takes_no_more(kit: Path, tmp_path: Path) -> None:
    """When the disk takes no more bytes, that is told in one line, and nothing half-written stays."""
    command = [sys.executable, "-c", FULL, str(kit), "--lang", "en"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*.kit"))
    assert not (tmp_path / "ms" / SNAPSHOT).exists()


@pytest.mark.slow
def test_several_at_a_time(kit: Path, tmp_path: Path) -> None:
    """Installers that run at the same time all end well, and leave nothing behind."""
    command = [sys.executable, "-m", "mirrorhub", "bundle", "install", str(kit)]
    for _ in range(2):
        _remove(tmp_path / "ms")
        running = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(4)]
        assert [(one.communicate()[1], one.returncode) for one in running] == [(b"", 0)] * 4
        assert contents_of(tmp_path / "ms" / SNAPSHOT) == FILES
        assert os.listdir(tmp_path / "ms/models/org--name/.mirrorhub") == ["notes"]  # noqa: PTH208
