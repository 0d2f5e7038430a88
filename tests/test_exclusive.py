"""The lock of a repository's folder: who waits says so, a wait has an end, and a holder that dies blocks nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrorhub import fetch
from mirrorhub.errors import LockTimeoutError, StoreError
from mirrorhub.exclusive import exclusive
from tests.fakehub import FakeHub, Repo
from tests.quick import quick

HOLDER = """
import asyncio, sys
from pathlib import Path
from mirrorhub.exclusive import exclusive

async def hold():
    async with exclusive(Path(sys.argv[1]), 1):
        print("held", flush=True)
        sys.stdin.readline()

asyncio.run(hold())
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """Where the lock of the repository that the tests fetch lies."""
    own = tmp_path / "ms/models/org--name/.mirrorhub"
    own.mkdir(parents=True)
    return own / "lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, which holds it."""
    command = [sys.executable, "-W", "error", "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


async def take(lock: Path, limit_s: float) -> None:
    """Take it and let it go."""
    async with exclusive(lock, limit_s):
        pass


def test_a_wait_has_an_end(lock: Path, holder: subprocess.Popen[str]) -> None:
    """Who waits too long is told which process holds the lock, where, and since when."""
    with pytest.raises(LockTimeoutError, match=f"process {holder.pid} on {socket.gethostname()} .since 0 s") as caught:
        asyncio.run(take(lock, 0.3))
    assert str(lock) in str(caught.value)
    assert isinstance(caught.value, TimeoutError)


class Told(logging.Handler):
    """Keeps what is logged, and says when something was."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.heard = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.words.append(record.getMessage())
        self.heard.set()


def test_a_wait_is_told(lock: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture) -> None:
    """Waiting says so, once, with the holder's process and host; and it ends when the holder lets go."""
    caplog.set_level(logging.INFO, "mirrorhub")

    async def run() -> list[str]:
        logging.getLogger("mirrorhub").addHandler(told := Told())
        try:
            waiting = asyncio.create_task(take(lock, 30))
            await told.heard.wait()
            assert not waiting.done()
            holder.communicate("go\n")
            await waiting
        finally:
            logging.getLogger("mirrorhub").removeHandler(told)
        return told.words

    (words,) = asyncio.run(run())
    assert f"waiting for process {holder.pid} on {socket.gethostname()}" in words


def test_a_killed_holder(lock: Path, holder: subprocess.Popen[str]) -> None:
    """A holder that was killed blocks nobody, although its name still stands there."""
    holder.kill()
    holder.wait()
    assert json.loads(lock.with_name("lock.holder").read_text())["pid"] == holder.pid
    asyncio.run(take(lock, 0.0))


FORKING = """
        import os, time
        if (child := os.fork()) == 0:
            time.sleep(60)
        print(child, flush=True)
        os.abort()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_killed_holder_with_a_child(lock: Path) -> None:
    """A child that the holder forked meanwhile does not hold the lock for it when the holder is gone."""
    program = HOLDER.replace("        sys.stdin.readline()\n", FORKING)
    with subprocess.Popen([sys.executable, "-c", program, str(lock)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        child = int(process.stdout.readline())
        process.wait()
        try:
            asyncio.run(take(lock, 5.0))
        finally:
            os.kill(child, signal.SIGKILL)


def test_waiting_uses_no_thread(lock: Path, holder: subprocess.Popen[str]) -> None:
    """Forty that wait in one process need no thread: the loop's own executor stays free for others."""

    async def run() -> set[str]:
        waits = await asyncio.gather(*(take(lock, 0.5) for _ in range(40)), return_exceptions=True)
        assert {type(wait) for wait in waits} == {LockTimeoutError}
        return {thread.name for thread in threading.enumerate()}

    before = {thread.name for thread in threading.enumerate()}
    assert asyncio.run(run()) <= before


def test_a_call_that_waits_too_long(holder: subprocess.Popen[str]) -> None:
    """A fetch waits as long as the settings say, and ends with an error that names the holder."""
    with FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub:
        with pytest.raises(LockTimeoutError, match=f"process {holder.pid}"):
            fetch("org/name", settings=quick(hub.url, lock_s=0.2))
        holder.kill()
        assert fetch("org/name", settings=quick(hub.url)).files == ("a.txt",)


HOLDERS = {
    "another kind": '{"pid": "x", "since": []}',
    "an endless number": '{"pid": 1e999, "host": "h", "since": 0}',
    "an endless time": '{"pid": 1, "host": "h", "since": 1e999}',
    "a time beyond measure": '{"pid": 1, "host": "h", "since": 1%s}' % ("0" * 400),
    "deep": "[" * 4_000,
    "words to the terminal": json.dumps({"pid": 1, "host": "\x1b]0;owned\x07", "since": 0}),
}


@pytest.mark.parametrize("told", HOLDERS.values(), ids=HOLDERS.keys())
def test_a_holder_whose_name_is_damaged(
    told: str, lock: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever stands in the holder's note, the error and the log say what they can, and nothing to a terminal."""
    caplog.set_level(logging.INFO)
    lock.with_name("lock.holder").write_text(told)
    with pytest.raises(LockTimeoutError, match="another process") as caught:
        asyncio.run(take(lock, 0.1))
    assert "\x1b" not in f"{caught.value}{caplog.text}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name")
def test_a_holder_whose_name_is_a_pipe(lock: Path, holder: subprocess.Popen[str]) -> None:
    """A pipe in the place of the holder's note holds up neither the wait nor the loop's other calls."""
    note = lock.with_name("lock.holder")
    note.unlink()
    os.mkfifo(note)
    with pytest.raises(LockTimeoutError, match="another process"):
        asyncio.run(take(lock, 0.1))


PLACES = {
    "a folder": Path.mkdir,
    "a link to nothing": lambda lock: lock.symlink_to("/nowhere/at/all"),
    "a link to a file": lambda lock: lock.symlink_to(__file__),
}


@pytest.mark.parametrize("plant", PLACES.values(), ids=PLACES.keys())
def test_a_lock_that_is_no_file(plant: Callable[[Path], None], lock: Path) -> None:
    """What stands in the lock's place and is no file is named, with what to do about it."""
    plant(lock)
    with (
        FakeHub([Repo("modelscope", "org/name", {"a.txt": b"a"})]) as hub,
        pytest.raises(StoreError, match="where our lock belongs; remove it"),
    ):
        fetch("org/name", settings=quick(hub.url))
