"""One loop for all: from plain code, running loops, threads and forks; interrupted, cancelled, closed, left open."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import mirrorhub
from mirrorhub import afetch, afile_download, aresolve, asnapshot_download, fetch, resolve, snapshot_download
from mirrorhub.errors import MirrorHubError, RepoNotFoundError
from tests.fakehub import FakeHub, Repo
from tests.fakehub.faults import Drip, HangBeforeAnswer, HangInBody, Slow
from tests.fakehub.repo import sample_bytes
from tests.fakehub.rules import Rule

FILES = {"config.json": b"{}", "model.bin": sample_bytes("model", 2_000_000)}
NAMES = [f"org/name-{number}" for number in range(6)]
POSIX = pytest.mark.skipif(os.name == "nt", reason="there is no such thing there")


def repo(name: str = "org/name") -> Repo:
    """A repository."""
    return Repo("modelscope", name, FILES)


def contents(path: Path | str) -> dict[str, bytes]:
    """The files of a snapshot."""
    return {name: Path(path, name).read_bytes() for name in FILES}


def child(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program in which every warning is an error and the interpreter looks closely."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    """Wait for a program; return what it printed and what it complained of, slow steps of a busy machine left out."""
    output, errors = process.communicate(timeout=30)
    return output.splitlines(), [line for line in errors.splitlines() if not line.startswith("Executing <")]


def test_a_sync_call_in_a_running_loop(carrier: str) -> None:
    """A notebook calls from inside a loop that runs: the call works there, too."""

    async def main() -> Path:
        return fetch("org/name", endpoints=hub.url).path

    with FakeHub([repo()]) as hub:
        assert contents(asyncio.run(main())) == FILES


def test_async_twins(carrier: str) -> None:
    """The async twins run beside each other over one connection, and return what their sync forms return."""

    async def main() -> list[str]:
        paths = await asyncio.gather(*(asnapshot_download(name, endpoints=hub.url) for name in NAMES))
        assert (await afetch(NAMES[0], endpoints=hub.url)).path == Path(paths[0])
        assert await afile_download(NAMES[0], "config.json", endpoints=hub.url) == str(Path(paths[0], "config.json"))
        assert (await aresolve(NAMES[0], endpoints=hub.url)) == resolve(NAMES[0], endpoints=hub.url)
        return list(paths)

    mirrorhub.close()
    with FakeHub(map(repo, NAMES)) as hub:
        paths = asyncio.run(main())
        assert len(hub.log.connections) == 1
        assert [snapshot_download(name, endpoints=hub.url) for name in NAMES] == paths
    assert [contents(path) for path in paths] == [FILES] * len(NAMES)


def test_an_async_error() -> None:
    """An error reaches whoever awaits, as it is."""
    with FakeHub([]) as hub, pytest.raises(RepoNotFoundError):
        asyncio.run(afetch("org/other", endpoints=hub.url))


def test_from_several_threads() -> None:
    """Calls from several threads at once share the loop; the same repository is fetched once."""
    mirrorhub.close()
    with FakeHub(map(repo, NAMES)) as hub, ThreadPoolExecutor(12) as pool:
        paths = list(pool.map(lambda name: fetch(name, endpoints=hub.url).path, NAMES * 2))
        assert hub.log.bytes_sent_by_file()["model.bin"] == len(NAMES) * len(FILES["model.bin"])
        assert [thread.name for thread in threading.enumerate()].count("mirrorhub") == 1
    assert [contents(path) for path in paths] == [FILES] * len(paths)


def descriptors() -> list[str]:
    """What this process holds open."""
    gc.collect()
    found = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the entry of the listing itself is gone by now
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))  # noqa: PTH115
        except OSError:
            continue
    return sorted(name.partition(":[")[0] if "anon" in name else name for name in found)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it cannot be looked at")
def test_close_leaves_nothing(carrier: str) -> None:
    """After `close` there is no thread, no socket and no file open that was not there before; a later call works."""
    with FakeHub([repo()]) as hub:
        fetch("org/name", endpoints=hub.url)
        mirrorhub.close()
        hub.log.wait_until(lambda log: all(connection.closed for connection in log.connections))
        before, threads = descriptors(), {thread.name for thread in threading.enumerate()}
        fetch("org/name", endpoints=hub.url, force_download=True)
        assert {thread.name for thread in threading.enumerate()} > threads
        mirrorhub.close()
        hub.log.wait_until(lambda log: all(connection.closed for connection in log.connections))
        assert descriptors() == before
        assert {thread.name for thread in threading.enumerate()} == threads
        mirrorhub.close()
        assert contents(fetch("org/name", endpoints=hub.url, force_download=True).path) == FILES


def test_close_during_a_call() -> None:
    """Closing while another thread waits ends its call, and does not hang."""
    with FakeHub([repo()], [HangBeforeAnswer()]) as hub, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, "org/name", endpoints=hub.url)
        hub.log.wait_until(lambda log: bool(log.requests()))
        mirrorhub.close()
        with pytest.raises((Exception, asyncio.CancelledError)):
            waiting.result(timeout=10)


class CallsBack:
    """A progress callback that calls the library, which would wait for itself."""

    errors: list[BaseException]
    urls: list[str]

    def __init__(self, name: str, size: int) -> None:
        pass

    def update(self, count: int) -> None:
        try:
            fetch("org/name-1", endpoints=self.urls)
        except RuntimeError as error:
            self.errors.append(error)

    def end(self) -> None:
        pass


def test_a_call_from_a_callback() -> None:
    """A call from a progress callback raises at once instead of waiting for itself for ever."""
    with FakeHub([repo(), repo("org/name-1")]) as hub:
        CallsBack.errors, CallsBack.urls = [], [hub.url]
        assert contents(fetch("org/name", endpoints=hub.url, progress_callbacks=[CallsBack]).path) == FILES
    assert "callback" in str(CallsBack.errors[0])


CLOSES = """
import sys, threading
from mirrorhub import close, fetch

class Closes:
    def __init__(self, name, size):
        pass
    def update(self, n):
        try:
            close()
        except RuntimeError as error:
            assert "callbacks" in str(error)
        else:
            raise AssertionError("closed under its own feet")
    def end(self):
        pass

fetch("org/name", endpoints=sys.argv[1], progress_callbacks=[Closes])
close()
print([thread.name for thread in threading.enumerate() if thread.name == "mirrorhub"])
"""


def test_close_from_a_callback() -> None:
    """Closing from a callback is refused, and leaves no loop behind that nobody can close any more."""
    with FakeHub([repo()]) as hub:
        assert finished(child(CLOSES, hub.url)) == (["[]"], [])


class Fails(CallsBack):
    """A progress callback with a mistake in it."""

    def update(self, count: int) -> None:
        raise ZeroDivisionError


def test_a_mistake_in_a_callback() -> None:
    """An error of a callback reaches the caller as it is, and the next call is none the worse."""
    with FakeHub([repo()]) as hub:
        with pytest.raises(ZeroDivisionError):
            fetch("org/name", endpoints=hub.url, progress_callbacks=[Fails])
        assert contents(fetch("org/name", endpoints=hub.url).path) == FILES


def partials(tmp_path: Path) -> list[Path]:
    """The bytes that wait for the next call."""
    return list(tmp_path.glob("ms/models/org--name/.mirrorhub/partial/*/data"))


def hanging() -> FakeHub:
    """A hub that falls silent after 1.2 MB of the large file: in two bodies, or where they are small in the sixth."""
    faults = [Rule(HangInBody(after_bytes=600_000), "model.bin"), Rule(HangInBody(), "model.bin", after=5)]
    return FakeHub([repo()], faults)


def resumed(hub: FakeHub) -> int:
    """Fetch the rest from the same hub, well again; return how many bytes that took."""
    hub.set_faults()
    hub.log.clear()
    assert contents(fetch("org/name", endpoints=hub.url).path) == FILES
    return hub.log.bytes_sent_by_file()["model.bin"]


def test_cancelling_an_async_call(carrier: str) -> None:
    """A cancelled call stops asking at once, and what it got is taken up by the next one."""

    async def main() -> None:
        task = asyncio.create_task(afetch("org/name", endpoints=hub.url))
        await asyncio.to_thread(hub.log.wait_until, lambda log: log.bytes_sent_by_file()["model.bin"] >= 800_000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with FakeHub([repo()], [Rule(Drip(bytes_per_s=2_000_000), "model.bin")]) as hub:
        asyncio.run(main())
        hub.log.wait_until(lambda log: all(request.cancelled for request in log.requests(file="model.bin")))
        assert resumed(hub) < len(FILES["model.bin"])


def test_a_time_limit_of_the_caller(carrier: str) -> None:
    """A time-out around an async call ends it there and on the loop."""

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await afetch("org/name", endpoints=hub.url)

    with FakeHub([repo()], [Slow(30)]) as hub:
        asyncio.run(main())
        hub.log.wait_until(lambda log: all(request.cancelled for request in log.requests()))


def test_the_time_limit_of_the_call() -> None:
    """`timeout=` ends a call whatever it is doing, with an error of ours."""
    with FakeHub([repo()], [HangBeforeAnswer()]) as hub, pytest.raises(MirrorHubError, match=r"0\.5 s"):
        fetch("org/name", endpoints=hub.url, timeout=0.5)


INTERRUPTED = """
import sys
from mirrorhub import fetch

class Told:
    count = 0
    def __init__(self, name, size):
        self.name = name
    def update(self, n):
        if self.name == "model.bin":
            Told.count += n
            if Told.count >= 1_200_000:
                print("enough", flush=True)
    def end(self):
        pass

fetch("org/name", endpoints=sys.argv[1], progress_callbacks=[Told])
"""


@POSIX
def test_control_c(tmp_path: Path, carrier: str) -> None:
    """Ctrl-C in the middle of a body ends the process promptly, with nothing but KeyboardInterrupt; bytes stay."""
    with hanging() as hub:
        process = child(INTERRUPTED, hub.url)
        assert process.stdout is not None
        assert process.stdout.readline() == "enough\n"
        process.send_signal(signal.SIGINT)
        _, errors = finished(process)
        assert errors[-1] == "KeyboardInterrupt"
        assert not [line for line in errors if "Warning" in line or "never" in line or "Exception" in line]
        assert process.returncode == -signal.SIGINT
        assert sum(file.stat().st_size for file in partials(tmp_path)) > 0
        assert resumed(hub) < len(FILES["model.bin"])


FORKED = """
import os, sys
from mirrorhub import close, fetch

path = fetch("org/name", endpoints=sys.argv[1]).path
child = os.fork()
if child == 0:
    again = fetch("org/name", endpoints=sys.argv[1], cache_dir=sys.argv[2], force_download=True).path
    print((again / "model.bin").stat().st_size, flush=True)
    close()
    os._exit(0)
_, status = os.waitpid(child, 0)
again = fetch("org/name", endpoints=sys.argv[1], cache_dir=sys.argv[2] + "-2", force_download=True).path
print(status, (again / "model.bin").stat().st_size)
"""


@POSIX
def test_a_fork(tmp_path: Path, carrier: str) -> None:
    """A forked child fetches with a loop and connections of its own; its parent goes on as before."""
    # So little that one connection will do, however far the hub seems on a busy machine.
    with FakeHub([Repo("modelscope", "org/name", {"model.bin": bytes(300_000)})]) as hub:
        assert finished(child(FORKED, hub.url, str(tmp_path / "other"))) == (["300000", "0 300000"], [])
        assert len(hub.log.connections) == 2


LEFT = """
import sys
from mirrorhub import fetch

for _ in range(2):
    fetch("org/name", endpoints=sys.argv[1], force_download=True)
"""
LEFT_ASYNC = """
import asyncio, sys
from mirrorhub import afetch

async def main():
    task = asyncio.ensure_future(afetch("org/name", endpoints=sys.argv[1]))
    await asyncio.sleep(0.2)

try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
"""


@pytest.mark.parametrize("program", [LEFT, LEFT_ASYNC], ids=["sync", "async-in-flight"])
def test_an_exit_without_close(program: str, carrier: str) -> None:
    """A program that never calls `close` ends promptly and prints nothing, even with a call in flight."""
    faults = [HangBeforeAnswer()] if program is LEFT_ASYNC else []
    with FakeHub([repo()], faults) as hub:
        process = child(program, hub.url)
        assert finished(process) == ([], [])
        assert process.returncode == 0


class Leaves(CallsBack):
    """A progress callback that wants the process to end, as a Cancel button's does."""

    def update(self, count: int) -> None:
        raise SystemExit("cancelled")


def test_a_callback_that_exits(carrier: str) -> None:
    """SystemExit from a callback reaches the caller; the loop lives on, and the next call is none the worse."""
    with FakeHub([repo()]) as hub:
        with pytest.raises(SystemExit, match="cancelled"):
            fetch("org/name", endpoints=hub.url, progress_callbacks=[Leaves])
        assert contents(fetch("org/name", endpoints=hub.url).path) == FILES
