"""Partial files: one writer each, adopted when their writer is gone, believed as far as their journal goes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorhub.digest import hasher_for
from mirrorhub.models import FileEntry
from mirrorhub.partial import Partial
from mirrorhub.partials import PartialPool
from mirrorhub.spans import gaps

DATA = bytes(range(256)) * 40
ENTRY = FileEntry("model.bin", len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
A, B = "https://a.test", "https://b.test"
HOLDER = """
import sys
from pathlib import Path
from mirrorhub.models import FileEntry
from mirrorhub.partials import PartialPool

pool = PartialPool(Path(sys.argv[1]))
pool.prepare()
partial = pool.claim(FileEntry("model.bin", int(sys.argv[2]), sha256=sys.argv[3]))
partial.write(0, b"x" * 1000, "https://a.test")
print(partial.folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pool(tmp_path: Path) -> PartialPool:
    """A pool with its folders."""
    pool = PartialPool(tmp_path / "own")
    pool.prepare()
    return pool


def left(pool: PartialPool, data: bytes, journal: str) -> None:
    """Leave a partial behind that nobody owns."""
    partial = pool.claim(ENTRY)
    partial.note(partial.write(0, b"-", A))
    folder = partial.folder
    pool.release(partial)
    folder = next(folder.parent.glob("*.free-*"))
    (folder / "data").write_bytes(data)
    (folder / "journal").write_text(journal)


def put(pool: PartialPool, partial: Partial, start: int, data: bytes) -> Path:
    """Write the rest of a file, and bring it to its place."""
    partial.note(partial.write(start, data, B))
    return pool.put(ENTRY, partial)


def lines(*ranges: tuple[int, int, str]) -> str:
    """A journal."""
    return "".join(json.dumps(list(line)) + "\n" for line in ranges)


def test_a_new_one_is_empty(pool: PartialPool) -> None:
    """Claiming leaves nothing on disk before the first byte."""
    partial = pool.claim(ENTRY)
    assert (partial.held, partial.runs) == (0, [])
    assert not partial.folder.exists()


def test_released_and_adopted(pool: PartialPool) -> None:
    """What one leaves the next takes up: the bytes, who gave which, and a digest that goes on."""
    first = pool.claim(ENTRY)
    for start, end, giver in [(0, 100, A), (500, 600, B), (300, 400, B), (100, 300, A)]:
        first.note(first.write(start, DATA[start:end], giver))
    pool.release(first)
    second = pool.claim(ENTRY)
    assert (second.held, second.front) == (500, 400)
    assert second.runs == [(0, 300, A), (300, 400, B), (500, 600, B)]
    assert ENTRY.digest is not None
    hasher = hasher_for(ENTRY.digest, len(DATA))
    second.hash_into(hasher, 0, 400)
    hasher.update(DATA[400:])
    assert hasher.hexdigest() == ENTRY.sha256
    second.note(second.write(400, DATA[400:500], A))
    assert put(pool, second, 600, DATA[600:]).read_bytes() == DATA
    assert pool.ready_size(ENTRY) == ENTRY.size


def test_two_claims_never_share(pool: PartialPool) -> None:
    """Two claims of one content in one process write to folders of their own, and only one adopts what was left."""
    left(pool, DATA[:10], lines((0, 10, A)))
    claims = [pool.claim(ENTRY) for _ in range(5)]
    assert len({claim.folder for claim in claims}) == 5
    assert sorted(claim.held for claim in claims) == [0, 0, 0, 0, 10]
    for number, claim in enumerate(claims):
        claim.write(claim.held, bytes([number]) * 10, A)
    assert [(claim.folder / "data").read_bytes()[-1] for claim in claims] == [0, 1, 2, 3, 4]
    for claim in claims:
        claim.close()


def test_the_largest_is_adopted(pool: PartialPool) -> None:
    """Of several that were left the one with most bytes is taken up."""
    claims = [pool.claim(ENTRY) for _ in range(3)]
    for claim, size in zip(claims, (10, 30, 20), strict=True):
        claim.note(claim.write(0, DATA[:size], A))
    for claim in claims:
        pool.release(claim)
    assert pool.claim(ENTRY).held == 30


def test_another_content_is_left_alone(pool: PartialPool) -> None:
    """Only a partial of the very same digest is taken up."""
    left(pool, DATA[:10], lines((0, 10, A)))
    assert pool.claim(FileEntry("model.bin", len(DATA), sha256="0" * 64)).held == 0


@pytest.mark.parametrize("entry", [FileEntry("x", 10), FileEntry("x", None, sha256=ENTRY.sha256)], ids=str)
def test_what_cannot_be_compared_is_not_adopted(pool: PartialPool, entry: FileEntry) -> None:
    """Without digest or size nothing says that two are the same file: nothing is taken up."""
    partial = pool.claim(entry)
    partial.note(partial.write(0, b"12345", A))
    pool.release(partial)
    assert pool.claim(entry).held == 0


# Data, journal, and what is believed.
JOURNALS = [
    (DATA[:100], lines((0, 100, A)), 100),
    pytest.param(DATA[:50], lines((0, 40, A), (40, 100, A)), 40, id="journal longer than data"),
    pytest.param(DATA[:50], lines((0, 100, A)), 0, id="all of the journal longer than data"),
    pytest.param(DATA[:100], lines((0, 40, A)), 40, id="data longer than journal"),
    pytest.param(DATA[:100], "", 0, id="no line"),
    pytest.param(DATA[:100], lines((0, 40, A)) + "[40, 80, ", 40, id="torn line"),
    pytest.param(DATA[:100], lines((0, 40, A)) + "\0\0\0\0\n", 40, id="zeros"),
    pytest.param(DATA[:100], lines((0, 40, A), (50, 80, A)), 70, id="gap"),
    pytest.param(DATA[:100], lines((0, 40, A), (30, 80, B)), 80, id="overlap"),
    pytest.param(DATA[:100], lines((0, 40, A), (40, 40, A), (40, 60, A)), 40, id="empty run"),
    pytest.param(DATA[:100], lines((-10, 40, A)), 0, id="negative"),
    pytest.param(DATA + DATA, lines((0, len(DATA), A), (len(DATA), 2 * len(DATA), A)), len(DATA), id="beyond size"),
    pytest.param(DATA[:100], lines((0, 40, A)) + "12\n", 40, id="a number"),
    pytest.param(DATA[:100], lines((0, 40, A)) + "null\n", 40, id="null"),
    pytest.param(DATA[:100], lines((0, 40, A)) + '[40, "80", "a"]\n', 40, id="a text for a number"),
    pytest.param(DATA[:100], lines((0, 40, A)) + '{"start": 40}\n', 40, id="another shape"),
]


@pytest.mark.parametrize(("data", "journal", "believed"), JOURNALS)
def test_what_is_believed(pool: PartialPool, data: bytes, journal: str, believed: int) -> None:
    """Bytes count as far as data and journal agree; a damaged line ends it, and never the call."""
    left(pool, data, journal)
    partial = pool.claim(ENTRY)
    assert partial.held == believed
    # What comes after goes where the believed bytes end, and nothing is left of the others.
    for start, end in list(gaps(partial.runs, 0, len(DATA))):
        partial.note(partial.write(start, DATA[start:end], B))
    assert pool.put(ENTRY, partial).read_bytes() == DATA


def test_nothing_is_believed(pool: PartialPool) -> None:
    """A partial of which nothing is believed does not stay on disk."""
    left(pool, DATA[:100], "")
    assert not pool.claim(ENTRY).folder.exists()
    pool.clear()
    assert not (pool.home / "partial").exists()


def test_data_longer_than_the_file(pool: PartialPool) -> None:
    """Bytes that nobody vouched for do not stay behind the end of a file that was checked."""
    left(pool, DATA + b"more", lines((0, 100, A)))
    assert put(pool, pool.claim(ENTRY), 100, DATA[100:]).read_bytes() == DATA


def test_restart(pool: PartialPool) -> None:
    """A restart forgets all bytes; the next ones start at the beginning."""
    partial = pool.claim(ENTRY)
    partial.note(partial.write(0, b"wrong", A))
    partial.restart()
    assert (partial.held, partial.runs, partial.folder.exists()) == (0, [], False)
    assert put(pool, partial, 0, DATA).read_bytes() == DATA


def test_set_aside(pool: PartialPool) -> None:
    """Bytes kept for comparison are nobody's to take up."""
    partial = pool.claim(ENTRY)
    partial.note(partial.write(0, DATA[:10], A))
    aside = partial.set_aside()
    assert aside.read_bytes() == DATA[:10]
    assert (partial.held, pool.claim(ENTRY).held) == (0, 0)


def test_an_empty_file(pool: PartialPool) -> None:
    """A file of no bytes gets its place, too."""
    empty = FileEntry("empty", 0, sha256=hashlib.sha256().hexdigest())
    assert pool.put_small(empty, b"").read_bytes() == b""
    assert pool.ready_size(empty) == empty.size


def test_ready_is_checked_again(pool: PartialPool) -> None:
    """A ready file whose bytes were changed since is not taken for ready."""
    place = put(pool, pool.claim(ENTRY), 0, DATA)
    place.write_bytes(b"x" * len(DATA))
    assert pool.ready_size(ENTRY) is None


def test_clear(pool: PartialPool) -> None:
    """Folders go when they are empty, and stay while something is in them."""
    left(pool, DATA[:10], lines((0, 10, A)))
    pool.clear()
    assert sorted(path.name for path in pool.home.iterdir()) == ["partial"]


LARGE = FileEntry("large.bin", 2 << 20, sha256="1" * 64)


def test_a_large_file_is_named_when_it_is_synced(pool: PartialPool) -> None:
    """Of a large file the journal says nothing before its bytes are synced; of a small one it says it at once."""
    small, large = pool.claim(ENTRY), pool.claim(LARGE)
    for partial in (small, large):
        partial.note(partial.write(0, DATA[:10], A))
        partial.note(partial.write(10, DATA[10:30], B))
    assert [partial.unconfirmed for partial in (small, large)] == [False, True]
    assert (large.folder / "journal").read_text() == ""
    large.confirm()
    assert (large.folder / "journal").read_text() == lines((0, 10, A), (10, 30, B))
    assert (small.folder / "journal").read_text() == lines((0, 10, A), (10, 30, B))
    small.close()
    large.close()


def test_what_was_not_confirmed(pool: PartialPool) -> None:
    """Bytes of a large file that were not synced when everything ended are not believed; a release syncs them."""
    ended, released = pool.claim(LARGE), pool.claim(LARGE)
    ended.note(ended.write(0, DATA[:30], A))
    ended.close()
    ended.folder.replace(ended.folder.with_name(f"sha256-{LARGE.sha256}.gone"))
    assert pool.claim(LARGE).held == 0
    released.note(released.write(0, DATA[:20], A))
    pool.release(released)
    assert pool.claim(LARGE).held == 20


def test_after_a_torn_line(pool: PartialPool) -> None:
    """A journal whose last line was torn is mended when it is taken up: what is written then is believed afterwards."""
    left(pool, DATA[:100], lines((0, 40, A)) + "[40, 80, ")
    second = pool.claim(ENTRY)
    second.note(second.write(40, DATA[40:90], B))
    pool.release(second)
    assert pool.claim(ENTRY).runs == [(0, 40, A), (40, 90, B)]


def test_a_long_journal(pool: PartialPool) -> None:
    """A journal of many lines is read in one go: a hundred thousand of them, each beside a gap."""
    size = 200_000
    large = FileEntry("large.bin", size, sha256="3" * 64)
    partial = pool.claim(large)
    partial.note(partial.write(0, b"x" * size, A))
    pool.release(partial)
    (folder,) = (pool.home / "partial").iterdir()
    (folder / "journal").write_text(lines(*((start, start + 1, A) for start in range(0, size, 2))))
    assert pool.claim(large).held == size // 2


def test_released_on_a_full_disk(pool: PartialPool) -> None:
    """A partial whose last bytes the disk refuses is left to whoever comes next, with those that it took."""
    partial = pool.claim(LARGE)
    partial.note(partial.write(0, DATA[:20], A))
    partial.confirm()
    partial.note(partial.write(20, DATA[20:30], A))
    assert partial._journal is not None
    partial._journal.close()  # as one that cannot be written any more
    with pytest.raises(ValueError, match="closed file"):
        pool.release(partial)
    assert pool.claim(LARGE).held == 20


def test_room_that_is_not_needed(pool: PartialPool) -> None:
    """What was left of a file needs no room any more; its holes do."""
    partial = pool.claim(LARGE)
    partial.note(partial.write(1 << 20, b"x" * 65_536, A))
    pool.release(partial)
    pool.prepare()
    assert 65_536 <= pool.left_of([LARGE]) < 1 << 20
    assert pool.left_of([ENTRY]) == 0


def test_left_in_another_repository(pool: PartialPool, tmp_path: Path) -> None:
    """A partial of the same content is taken up out of another repository's folder; another content is not."""
    other = PartialPool(tmp_path / "other", [pool.home])
    left(pool, DATA[:10], lines((0, 10, A)))
    other.prepare()
    assert other.claim(FileEntry("x", 5, sha256="2" * 64)).held == 0
    partial = other.claim(ENTRY)
    assert (partial.held, partial.folder.parent.parent) == (10, other.home)
    assert list((pool.home / "partial").iterdir()) == []


def test_ready_in_another_repository(pool: PartialPool, tmp_path: Path) -> None:
    """A checked file that waits in another repository is copied, not taken: it may be about to be published there."""
    place = put(pool, pool.claim(ENTRY), 0, DATA)
    other = PartialPool(tmp_path / "other", [pool.home])
    other.prepare()
    assert other.ready_size(ENTRY) == ENTRY.size
    assert (other.ready_path(ENTRY).read_bytes(), place.read_bytes()) == (DATA, DATA)


def test_damaged_in_another_repository(pool: PartialPool, tmp_path: Path) -> None:
    """A file that waits elsewhere and is not what it should be is not taken, and nothing of it stays."""
    put(pool, pool.claim(ENTRY), 0, DATA).write_bytes(b"x" * len(DATA))
    other = PartialPool(tmp_path / "other", [pool.home])
    other.prepare()
    assert other.ready_size(ENTRY) is None
    assert list((other.home / "ready").iterdir()) == []


def test_through_a_link(pool: PartialPool, tmp_path: Path) -> None:
    """Another repository's folder that is a link to somewhere else is not looked into."""
    left(pool, DATA[:10], lines((0, 10, A)))
    link = tmp_path / "link"
    link.symlink_to(pool.home)
    other = PartialPool(tmp_path / "other", [link])
    other.prepare()
    assert other.claim(ENTRY).held == 0


def test_a_foreign_owner_that_writes(pool: PartialPool) -> None:
    """A partial of another host that was written to just now is not taken from it."""
    partial = Partial(pool.home / "partial" / f"sha256-{ENTRY.sha256}.elsewhere-1-abcdef")
    partial.write(0, DATA[:10], A)
    partial.close()
    assert pool.claim(ENTRY).held == 0


@pytest.fixture
def holder(pool: PartialPool) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A living process that holds a partial of a thousand bytes, and the partial's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(pool.home), str(len(DATA)), str(ENTRY.sha256)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_living_owner(pool: PartialPool, holder: tuple[subprocess.Popen[str], str]) -> None:
    """A partial of a process that lives is not taken from it."""
    assert pool.claim(ENTRY).held == 0
    assert (pool.home / "partial" / holder[1] / "data").is_file()


def test_a_dead_owner(pool: PartialPool, holder: tuple[subprocess.Popen[str], str]) -> None:
    """A partial of a process that was killed is taken up by the next one, under a name of its own."""
    process, name = holder
    process.kill()
    process.wait()
    partial = pool.claim(ENTRY)
    assert (partial.held, partial.runs) == (1000, [(0, 1000, A)])
    assert partial.folder.name != name
    assert not (pool.home / "partial" / name).exists()
