"""Damage on disk: noticed, put aside, and mended by bringing that file alone."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from mirrorhub import Snapshot, fetch
from mirrorhub.errors import NotCachedError, ResolutionError, StoreError, TransferError
from mirrorhub.models import FileEntry
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.stores.aside import Aside, Limits, asides, put_aside, trim
from mirrorhub.stores.notes import NoteBook
from tests.fakehub import FakeHub, Repo, certs
from tests.fakehub.repo import sample_bytes
from tests.quick import quick

LARGE = "model.bin"
FILES = {"config.json": b'{"a": 1}', LARGE: sample_bytes("model", 1_500_000), "sub/x.txt": b"x" * 3000}


@dataclass(frozen=True, slots=True)
class Layout:
    """A way in which snapshots lie on disk."""

    hub: str
    local: Path | None = None

    @property
    def repo(self) -> Repo:
        """What a hub holds."""
        return Repo(self.hub, "org/name", FILES)  # type: ignore[arg-type]

    def fetch(self, *addresses: str, **options: object) -> Snapshot:
        """Bring it."""
        given: dict[str, object] = {"hub": self.hub, "local_dir": self.local}
        if addresses:
            given["settings"] = quick(*addresses)
        return fetch("org/name", **{**given, **options})  # type: ignore[arg-type]

    def home(self, snapshot: Snapshot) -> Path:
        """The repository's folder."""
        return snapshot.path if self.local else snapshot.path.parents[1]


RARE = [pytest.param(name, marks=pytest.mark.slow) for name in ("without links", "local of huggingface")]


@pytest.fixture(params=["modelscope", "huggingface", "local", *RARE])
def layout(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Each way in turn; those that are mixtures of the others with the slow tests."""
    if request.param == "without links":
        monkeypatch.setenv("HF_HUB_DISABLE_SYMLINKS", "1")
    hub = "modelscope" if request.param in ("modelscope", "local") else "huggingface"
    return Layout(hub, tmp_path / "local" if "local" in request.param else None)


def truncate(path: Path) -> None:
    """Cut the end off."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change a byte in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(1, 1))


def delete(path: Path) -> None:
    """Remove the bytes: where the path is a link, it dangles then."""
    path.resolve().unlink()


def lose(path: Path) -> None:
    """Remove the entry itself."""
    path.unlink()


def replaced(path: Path) -> None:
    """Put a file of other bytes in its place, where a link was, too."""
    path.unlink()
    path.write_bytes(b"another")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "truncated": truncate,
    "flipped": flip,
    "deleted": delete,
    "lost": lose,
    "replaced": replaced,
}


@pytest.fixture(params=DAMAGE.values(), ids=DAMAGE.keys())
def damage(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Each kind of damage in turn."""
    return request.param  # type: ignore[no-any-return]


def has_bytes(snapshot: Snapshot) -> bool:
    """Whether every file is right."""
    return {name: (snapshot.path / name).read_bytes() for name in FILES} == FILES


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("name", ["config.json", LARGE, "sub/x.txt"])
def test_damage_is_mended(layout: Layout, damage: Callable[[Path], None], name: str) -> None:
    """A file that is not as it was is brought again, and no byte of any other; what a link still leads to is not."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        whole = (snapshot.path / name).is_symlink() and damage in (lose, replaced)
        damage(snapshot.path / name)
        hub.log.clear()
        again = layout.fetch(hub.url)
        assert hub.log.bytes_sent_by_file() == ({} if whole else {name: len(FILES[name])})
    assert (again.path, has_bytes(again), again.stale, again.verified) == (snapshot.path, True, False, True)
    assert has_bytes(layout.fetch(local_files_only=True, verify=True))


@pytest.mark.parametrize("name", ["config.json", LARGE])
@pytest.mark.parametrize("kind", ["truncated", "flipped", "replaced"])
def test_damage_is_put_aside(layout: Layout, kind: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The damaged bytes are kept, with what is known of them; one warning says so, and nothing else is put aside."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        DAMAGE[kind](snapshot.path / name)
        wrong = (snapshot.path / name).read_bytes()
        layout.fetch(hub.url)
        address = hub.url
    home = layout.home(snapshot)
    (aside,) = asides(home)
    assert (aside.path, aside.data.read_bytes(), aside.size) == (name, wrong, len(wrong))
    assert aside.expected != aside.actual
    assert aside.origins == (address,)
    assert aside.users is (layout.local is not None)
    assert os.name == "nt" or stat.S_IMODE((aside.folder / "record.json").stat().st_mode) == 0o600
    (said,) = warnings(caplog)
    assert name in said
    if layout.local is None:
        assert said.startswith(f"{layout.hub}:org/name: ")
        assert "`mirrorhub cache list`" in said


def test_damage_that_no_stamp_shows(layout: Layout) -> None:
    """Bytes changed under the same size and time are found by digests: with `verify=True`, and mended."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        file = snapshot.path / LARGE
        before = file.stat()
        flip(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        hub.log.clear()
        layout.fetch(hub.url)
        assert not hub.log.bytes_sent_by_file()
        assert has_bytes(layout.fetch(hub.url, verify=True))
        assert hub.log.bytes_sent_by_file() == {LARGE: len(FILES[LARGE])}
    (aside,) = asides(layout.home(snapshot))
    assert aside.path == LARGE


def test_damage_offline(layout: Layout, damage: Callable[[Path], None]) -> None:
    """Offline a damaged file is an error that names it and says what to do; nothing is moved."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    damage(snapshot.path / LARGE)
    with pytest.raises(NotCachedError, match="mirrorhub cache verify --repair") as caught:
        layout.fetch(local_files_only=True)
    assert str(snapshot.path / LARGE) in str(caught.value)
    assert layout.fetch(local_files_only=True, allow_patterns="*.json").files == ("config.json",)
    assert not asides(layout.home(snapshot))


def test_damage_and_nobody_to_ask(layout: Layout, damage: Callable[[Path], None]) -> None:
    """With all endpoints down a damaged snapshot is not passed off as complete; what was damaged waits for them."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        address = hub.url
        damage(snapshot.path / LARGE)
        hub.stop()
        with pytest.raises(Exception, match="No endpoint") as caught:
            layout.fetch(address)
        assert not isinstance(caught.value, TransferError)
        hub.start()
        assert has_bytes(layout.fetch(address))


def test_every_snapshot_of_a_blob_is_mended() -> None:
    """A damaged blob is put aside once and brought once, and every snapshot that links to it is whole again."""
    repo = Repo("huggingface", "org/name", FILES)
    with FakeHub([repo]) as hub:
        first = fetch("hf://org/name", settings=quick(hub.url))
        repo.commit({"config.json": b"{}"})
        second = fetch("hf://org/name", settings=quick(hub.url))
        flip(first.path / LARGE)
        hub.log.clear()
        fetch("hf://org/name", settings=quick(hub.url))
        assert hub.log.bytes_sent_by_file() == {LARGE: len(FILES[LARGE])}
        hub.log.clear()
        assert has_bytes(fetch("hf://org/name", str(first.commit), settings=quick(hub.url)))
        assert not hub.log.requests()
    assert len(asides(second.path.parents[1])) == 1
    assert fetch("hf://org/name", str(first.commit), local_files_only=True, verify=True).path == first.path


def test_a_users_work_in_a_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that a user edited in a folder of theirs is kept when it is replaced, and one warning says where."""
    folder = tmp_path / "local"
    repo = Repo("modelscope", "org/name", FILES)
    with FakeHub([repo]) as hub:
        fetch("org/name", settings=quick(hub.url), local_dir=folder)
        (folder / "config.json").write_bytes(b'{"mine": true}')
        repo.commit({"config.json": b'{"a": 2}', "sub/x.txt": b"new"})
        fetch("org/name", settings=quick(hub.url), local_dir=folder)
    assert (folder / "config.json").read_bytes() == b'{"a": 2}'
    (aside,) = asides(folder)
    assert (aside.path, aside.data.read_bytes()) == ("config.json", b'{"mine": true}')
    (said,) = warnings(caplog)
    assert "config.json" in said
    assert str(aside.folder.parent) in said
    trim(folder, Limits(0, 0, 0.0))
    assert asides(folder) == [aside]


def test_a_users_work_when_nobody_answers(tmp_path: Path) -> None:
    """While the right file cannot be had, the one that a user edited stays where it is."""
    folder = tmp_path / "local"
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        fetch("org/name", settings=quick(hub.url), local_dir=folder)
        (folder / "config.json").write_bytes(b"mine")
        address = hub.url
    with pytest.raises(Exception, match="No endpoint"):
        fetch("org/name", settings=quick(address), local_dir=folder)
    assert (folder / "config.json").read_bytes() == b"mine"


def test_a_users_file_that_was_there_first(tmp_path: Path) -> None:
    """A file that stood in the folder before the first call is kept, unless it is the very same."""
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "config.json").write_bytes(b"mine")
    (folder / "sub").mkdir()
    (folder / "sub" / "x.txt").write_bytes(FILES["sub/x.txt"])
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        fetch("org/name", settings=quick(hub.url), local_dir=folder)
        assert "sub/x.txt" not in hub.log.bytes_sent_by_file()
    (aside,) = asides(folder)
    assert aside.data.read_bytes() == b"mine"


def test_nothing_is_put_aside_when_a_branch_moves(layout: Layout) -> None:
    """A file that is replaced because the branch has moved on is no damage."""
    repo = layout.repo
    with FakeHub([repo]) as hub:
        layout.fetch(hub.url)
        repo.commit({"config.json": b"{}", LARGE: b"small"})
        snapshot = layout.fetch(hub.url)
    assert not asides(layout.home(snapshot))
    assert (snapshot.path / LARGE).read_bytes() == b"small"


def test_a_planted_folder_for_what_is_put_aside(tmp_path: Path) -> None:
    """Nothing is put aside through a symbolic link that somebody has planted."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        path = fetch("org/name", settings=quick(hub.url)).path
        (path.parents[1] / OWN_FOLDER / "aside").symlink_to(outside)
        flip(path / LARGE)
        with pytest.raises(StoreError, match="symbolic link"):
            fetch("org/name", settings=quick(hub.url))
    assert not list(outside.iterdir())


ANOTHER = "00000000-0000-0000-0000-000000000000"


def under_another_boot(snapshot: Snapshot, home: Path, boot: str | None = ANOTHER) -> Path:
    """Rewrite the note as if the machine had been started anew since; None: as older versions wrote it."""
    (note,) = (home / OWN_FOLDER / "notes").iterdir()
    record = json.loads(note.read_bytes())
    del record["boot"]
    note.write_text(json.dumps({**record, "boot": boot} if boot else record))
    return note


def zero_out(file: Path) -> None:
    """What a loss of power does: size and time are right, the bytes never got to the disk."""
    before = file.stat()
    file.write_bytes(bytes(before.st_size))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("boot", [ANOTHER, None], ids=["another boot", "an old note"])
def test_after_a_loss_of_power(layout: Layout, boot: str | None) -> None:
    """After another start of the machine small files are hashed before they are trusted, and mended."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        under_another_boot(snapshot, layout.home(snapshot), boot)
        zero_out(snapshot.path / "config.json")
        with pytest.raises(NotCachedError, match=r"config\.json"):
            layout.fetch(local_files_only=True)
        hub.log.clear()
        assert has_bytes(layout.fetch(hub.url))
        assert hub.log.bytes_sent_by_file() == {"config.json": len(FILES["config.json"])}


@pytest.mark.parametrize("boot", [ANOTHER, None], ids=["another boot", "an old note"])
def test_after_a_new_start_nothing_is_brought_again(layout: Layout, boot: str | None) -> None:
    """What is whole stays a hit after another start, offline and online, and after an upgrade."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
        under_another_boot(snapshot, layout.home(snapshot), boot)
        assert has_bytes(layout.fetch(local_files_only=True))
        hub.log.clear()
        assert has_bytes(layout.fetch(hub.url))
        assert not hub.log.requests(kind="body")


def test_hashed_once_after_a_new_start(layout: Layout) -> None:
    """Small files are hashed once per start and not at every call: the second call believes what the first found."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    under_another_boot(snapshot, layout.home(snapshot))
    assert has_bytes(layout.fetch(local_files_only=True))
    zero_out(snapshot.path / "config.json")
    assert layout.fetch(local_files_only=True).verified
    with pytest.raises(NotCachedError):
        layout.fetch(local_files_only=True, verify=True)


def test_what_was_hashed_is_of_one_note(layout: Layout) -> None:
    """When the note is written anew, what was hashed before says nothing of it."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    home = layout.home(snapshot)
    under_another_boot(snapshot, home)
    assert has_bytes(layout.fetch(local_files_only=True))
    note = under_another_boot(snapshot, home)
    os.utime(note, ns=(1, 1))
    zero_out(snapshot.path / "config.json")
    with pytest.raises(NotCachedError):
        layout.fetch(local_files_only=True)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything can be written here")
def test_a_cache_that_is_read_only() -> None:
    """Where nothing can be written down the files are hashed each time, and the call is answered."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        snapshot = fetch("org/name", settings=quick(hub.url))
    own = snapshot.path.parents[1] / OWN_FOLDER
    under_another_boot(snapshot, snapshot.path.parents[1])
    own.chmod(0o555)
    try:
        assert has_bytes(fetch("org/name", local_files_only=True))
        zero_out(snapshot.path / "config.json")
        with pytest.raises(NotCachedError):
            fetch("org/name", local_files_only=True)
    finally:
        own.chmod(0o755)


@pytest.fixture
def foreign(layout: Layout) -> Snapshot:
    """Somebody else has filled the cache: the files may be read, the note may not, and nothing be written."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    own = layout.home(snapshot) / OWN_FOLDER
    # A link in its place stops root, too.
    own.rename(own.with_name("elsewhere"))
    own.symlink_to("elsewhere")
    return snapshot


def test_a_cache_that_somebody_else_has_filled(layout: Layout, foreign: Snapshot) -> None:
    """Whoever may neither read the note nor write gets a snapshot whose files have the digests that are listed."""
    with FakeHub([layout.repo]) as hub:
        found = layout.fetch(hub.url)
        assert (found.path, found.verified, found.stale, has_bytes(found)) == (foreign.path, True, False, True)
        assert not hub.log.requests(kind="body")


@pytest.mark.parametrize("harm", [truncate, flip, delete])
def test_a_foreign_cache_that_lacks_something(layout: Layout, foreign: Snapshot, harm: Callable[[Path], None]) -> None:
    """Where a file is not as listed, nothing is asked for that could not be written: the disk is named."""
    harm(foreign.path / LARGE)
    with FakeHub([layout.repo]) as hub, pytest.raises(StoreError, match="symbolic link"):
        layout.fetch(hub.url)
    assert not hub.log.requests(kind="body")


def test_a_foreign_cache_with_nobody_to_ask(
    layout: Layout, foreign: Snapshot, caplog: pytest.LogCaptureFixture
) -> None:
    """With everybody down it is taken at its word, and the snapshot and one warning say so; not against the trust."""
    nobody = "https://localhost:1"
    found = layout.fetch(nobody)
    assert (found.path, found.verified, found.stale, has_bytes(found)) == (foreign.path, False, True, True)
    assert [record.getMessage() for record in caplog.records if "not be verified" in record.getMessage()]
    with pytest.raises(ResolutionError):
        layout.fetch(settings=quick(nobody, trust="official"))


def test_nobody_to_ask_and_no_note(layout: Layout) -> None:
    """Without a note nobody knows whether all is there: with everybody down it is not returned as if it were."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    shutil.rmtree(layout.home(snapshot) / OWN_FOLDER)
    with pytest.raises(ResolutionError):
        layout.fetch("https://localhost:1")


TWO_USERS = """
import os, sys, mirrorhub
from tests.quick import quick
os.umask(0o022)
mirrorhub.fetch("org/name", settings=quick(sys.argv[1]))
mirrorhub.close()
os.setgroups([]), os.setgid(65534), os.setuid(65534)
for url in sys.argv[1:]:
    found = mirrorhub.fetch("org/name", settings=quick(url))
    print(found.verified, found.stale, len(found.files))
print(mirrorhub.fetch("org/name", local_files_only=True).verified)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root may become somebody else")
def test_two_users_share_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """What root has brought, with the usual rights, another user finds: online, with everybody down, and offline."""
    with TemporaryDirectory() as shared, FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        Path(shared).chmod(0o755)
        for name in ("MODELSCOPE_CACHE", "HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, shared)
        monkeypatch.setenv("SSL_CERT_FILE", shutil.copy(certs.ca_file(), f"{shared}/ca.pem"))
        Path(shared, "ca.pem").chmod(0o644)
        command = [sys.executable, "-c", TWO_USERS, hub.url, "https://localhost:1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.stdout.split("\n") == ["True False 3", "False True 3", "False", ""], done.stderr


def test_nothing_can_be_written_down() -> None:
    """Where a file is in the way of what was hashed, the files are hashed each time, and the call is answered."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        snapshot = fetch("org/name", settings=quick(hub.url))
    under_another_boot(snapshot, snapshot.path.parents[1])
    (snapshot.path.parents[1] / OWN_FOLDER / "seen").write_bytes(b"")
    assert has_bytes(fetch("org/name", local_files_only=True))
    zero_out(snapshot.path / "config.json")
    with pytest.raises(NotCachedError):
        fetch("org/name", local_files_only=True)


SEEN = [b"", b"[]", b"{}", b'{"mark": 1, "stamps": 2}', b"\xff", b"[" * 100_000, b'{"mark": null, "stamps": {"a": 1}}']
SEEN += [
    b'{"mark": "MARK", "stamps": {"config.json": [%s]}}' % odd for odd in (b"1", b"1e999, 0", b"1%s, 0" % (b"0" * 400))
]


@pytest.mark.parametrize("data", SEEN, ids=range(len(SEEN)))
def test_a_damaged_book(data: bytes) -> None:
    """A damaged record of what was hashed counts as none."""
    with FakeHub([Repo("modelscope", "org/name", FILES)]) as hub:
        snapshot = fetch("org/name", settings=quick(hub.url))
    home = snapshot.path.parents[1]
    under_another_boot(snapshot, home)
    fetch("org/name", local_files_only=True)
    (book,) = (home / OWN_FOLDER / "seen").iterdir()
    mark = str(json.loads(book.read_bytes())["mark"])
    book.write_bytes(data.replace(b"MARK", mark.encode()))
    assert has_bytes(fetch("org/name", local_files_only=True))


def test_a_copy_on_another_machine(layout: Layout, tmp_path: Path) -> None:
    """A cache that was copied with its times is a hit where it was copied to."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url)
    home = layout.home(snapshot)
    moved = tmp_path / "moved"
    shutil.copytree(home, moved, symlinks=True)
    shutil.rmtree(home)
    moved.replace(home)
    assert has_bytes(layout.fetch(local_files_only=True))


def test_origins_survive_a_new_start(layout: Layout) -> None:
    """Who gave a file is known after a later call for other files."""
    with FakeHub([layout.repo]) as hub:
        snapshot = layout.fetch(hub.url, allow_patterns="*.json")
        under_another_boot(snapshot, layout.home(snapshot))
        layout.fetch(hub.url, allow_patterns="*.bin")
        address = hub.url
    book = NoteBook(layout.home(snapshot))
    (name,) = book.names()
    note = book.read(name)
    assert note is not None
    assert note.origins == {"config.json": (address,), LARGE: (address,)}
    # The small file was not looked at in the second call: it is not vouched for under this start.
    assert note.boot == ANOTHER
    zero_out(snapshot.path / "config.json")
    with pytest.raises(NotCachedError):
        layout.fetch(local_files_only=True, allow_patterns="*.json")


def lying(home: Path, name: str, size: int, *, users: bool = False) -> Aside:
    """Put a file of so many bytes aside."""
    place = home / name
    place.write_bytes(b"x" * size)
    return put_aside(home, place, FileEntry(name, 3, sha256="0" * 64), "master", ("https://u:p@a.test",), users)


def test_what_is_put_aside_is_bounded(tmp_path: Path) -> None:
    """By number, by size and by age; of what is too large to keep, the record stays."""
    made = [replace(lying(tmp_path, f"{number}.bin", 10), at_s=float(number)) for number in range(5)]
    for aside in made:
        record = aside.folder / "record.json"
        record.write_text(json.dumps({**json.loads(record.read_text()), "at_s": aside.at_s}))
    trim(tmp_path, Limits(4, 1000, 1000.0), now_s=5.0)
    assert [aside.path for aside in asides(tmp_path)] == ["4.bin", "3.bin", "2.bin", "1.bin"]
    trim(tmp_path, Limits(4, 1000, 3.0), now_s=5.0)
    assert [aside.path for aside in asides(tmp_path)] == ["4.bin", "3.bin", "2.bin"]
    trim(tmp_path, Limits(4, 25, 1000.0), now_s=5.0)
    assert [(aside.path, aside.held) for aside in asides(tmp_path)] == [("4.bin", 10), ("3.bin", 10), ("2.bin", 0)]


def test_what_a_record_says(tmp_path: Path) -> None:
    """A record names path, digests and origin, and no secret of an address."""
    aside = lying(tmp_path, "a.bin", 3)
    text = (aside.folder / "record.json").read_text()
    assert "u:p" not in text
    assert asides(tmp_path) == [aside]
    (aside.folder / "record.json").write_bytes(b"{")
    (unreadable,) = asides(tmp_path)
    assert (unreadable.path, unreadable.held) == ("(no record)", 3)


ODD = {"at_s": [10**400, float("inf"), float("nan"), 1e300, True], "size": [10**400, float("inf"), -1, "1"]}
ODD |= {"origins": [1, [1]], "path": [["x"], None], "actual": [1]}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
def test_a_record_that_is_none(name: str, value: object, tmp_path: Path) -> None:
    """A record that holds what it cannot counts as none; what is beside it is kept."""
    record = lying(tmp_path, "a.bin", 3).folder / "record.json"
    record.write_text(json.dumps({**json.loads(record.read_bytes()), name: value}))
    (unreadable,) = asides(tmp_path)
    assert (unreadable.path, unreadable.held) == ("(no record)", 3)
