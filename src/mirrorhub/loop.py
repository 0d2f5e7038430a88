"""The one event loop of the process, in a thread of its own, and the bridge to it.

Sync calls and their async twins both run here, whatever loop the caller has, so that all share one set of connections.
Started when first needed; `close()` and the end of the process end it; a fork starts afresh.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mirrorhub.progress import Stopped

if TYPE_CHECKING:
    from mirrorhub.config import Settings
    from mirrorhub.http.client import Client

T = TypeVar("T")
LET_GO_S = 5.0
"""How long an interrupted caller waits for the loop to leave the disk in order."""
Work = Callable[["Client"], Coroutine[Any, Any, T]]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """Work that runs on the loop: its result, and whether it has let go of everything."""

    future: Future[T]
    ended: threading.Event


class LoopThread:
    """A thread that runs an event loop, and the clients whose connections live on it."""

    def __init__(self) -> None:
        # Selectors on every system: libcurl's sockets are watched through add_reader, which Proactor lacks.
        self._loop = asyncio.SelectorEventLoop()
        self._clients: dict[object, Client] = {}
        self._thread = threading.Thread(target=self._run, name="mirrorhub", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], settings: Settings) -> Call[T]:
        """Start work on the loop.

        Raises:
            RuntimeError: Called from the loop's own thread, where waiting would never end.
        """
        if self.is_here():
            raise RuntimeError("mirrorhub was called from one of its own callbacks; use the async twin in a task")
        ended = threading.Event()
        return Call(asyncio.run_coroutine_threadsafe(self._with_client(work, settings, ended), self._loop), ended)

    def is_here(self) -> bool:
        """Whether this is the loop's own thread."""
        return threading.current_thread() is self._thread

    def is_running(self) -> bool:
        """Whether the thread lives."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Cancel what runs, close all connections, end the thread."""
        if self._loop.is_closed() or not self.is_running():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _with_client(self, work: Work[T], settings: Settings, ended: threading.Event) -> T:
        try:
            return await work(self._client(settings))
        finally:
            ended.set()

    def _client(self, settings: Settings) -> Client:
        """Return the client for these settings: its connections are kept for the next call."""
        from mirrorhub.http.carrier import build_carrier  # brings in httpx: only where something is asked for
        from mirrorhub.http.client import Client
        from mirrorhub.http.route import route_for

        route = route_for(settings)
        key = (settings.carrier, route.ca_file)
        if key not in self._clients:
            self._clients[key] = Client(build_carrier(settings.carrier, route), proxy_for=route.proxy_for)
        return self._clients[key]

    async def _close(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()


_lock = threading.Lock()
_current: LoopThread | None = None


def run(work: Work[T], settings: Settings) -> T:
    """Run work on the loop and wait for it; an interrupt here cancels it there, and waits until it has let go."""
    call = _thread().submit(work, settings)
    try:
        return _wait(call.future)
    except Stopped as stopped:
        raise stopped.wish from None
    except BaseException:
        if call.future.cancel():
            call.ended.wait(LET_GO_S)
        raise


async def arun(work: Work[T], settings: Settings) -> T:
    """Run work on the loop from any other loop; a cancellation here cancels it there."""
    try:
        return await asyncio.wrap_future(_thread().submit(work, settings).future)
    except Stopped as stopped:
        raise stopped.wish from None


def close() -> None:
    """End the loop, its thread and all connections; the next call starts them again.

    Raises:
        RuntimeError: Called from one of our own callbacks.
    """
    global _current
    with _lock:
        if _current is not None and _current.is_here():
            raise RuntimeError("mirrorhub.close() was called from one of its own callbacks, which would never end")
        thread, _current = _current, None
    if thread is not None:
        thread.close()


def _thread() -> LoopThread:
    global _current
    with _lock:
        if _current is None or not _current.is_running():
            _current = LoopThread()
        return _current


def _wait(future: Future[T]) -> T:
    """Wait in steps: on Windows a wait without an end cannot be interrupted."""
    while True:
        try:
            return future.result(timeout=1.0)
        except TimeoutError:
            if future.done():
                return future.result()


def _forget() -> None:
    """After a fork the thread is not there any more: the child starts its own."""
    global _current, _lock
    _lock = threading.Lock()
    _current = None


atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
