"""libcurl's multi handle: curl_cffi's wrapper of it, and what has to be said past that wrapper.

curl_cffi's underscored names are used here and, for libcurl's NULL, in `curl_options`; nowhere else. libcurl calls back
only from inside `process_data`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from curl_cffi import AsyncCurl, Curl
from curl_cffi._wrapper import ffi, lib  # type: ignore[import-not-found]
from curl_cffi.aio import CURL_POLL_NONE, CURL_SOCKET_TIMEOUT
from curl_cffi.const import CurlMOpt


class CurlMulti(AsyncCurl):
    """libcurl's multi handle, with three things that curl_cffi's wrapper lacks.

    Its connections can be limited, it tells when it has moved, and a late event after closing passes unnoticed.
    """

    def __init__(self, moved: Callable[[], None]) -> None:
        self._moved = moved
        super().__init__()
        self._number(CurlMOpt.QUICK_EXIT, 1)  # else closing waits for name look-ups that hang

    def process_data(self, sockfd: int, ev_bitmask: int) -> None:
        """Let libcurl see what a socket is ready for."""
        if self._curlm:
            super().process_data(sockfd, ev_bitmask)
            self._moved()

    def drain(self) -> None:
        """Let libcurl see the time, and collect what has ended."""
        self.process_data(CURL_SOCKET_TIMEOUT, CURL_POLL_NONE)

    def limit(self, *, connections: int, streams: int) -> None:
        """Hold libcurl to so many connections, and so many requests on each."""
        self._number(CurlMOpt.MAX_HOST_CONNECTIONS, connections)
        self._number(CurlMOpt.MAX_CONCURRENT_STREAMS, streams)

    def abandon(self) -> None:
        """Free everything without the event loop, which is gone: so no callback may run any more."""
        lib.curl_multi_setopt(self._curlm, CurlMOpt.SOCKETFUNCTION, ffi.NULL)
        lib.curl_multi_setopt(self._curlm, CurlMOpt.TIMERFUNCTION, ffi.NULL)
        for curl in self._curl2future:
            lib.curl_multi_remove_handle(self._curlm, curl._curl)
            curl.close()
        lib.curl_multi_cleanup(self._curlm)
        self._curlm = None
        expect_no_end(self._timeout_checker)

    def disown(self) -> None:
        """Forget libcurl's handles without freeing them: they belong to the process we were forked from."""
        for curl in self._curl2future:
            disown(curl)
        self._curlm = None

    def _number(self, option: CurlMOpt, value: int) -> None:
        # AsyncCurl.setopt passes the address of the number: libcurl takes that for the number, and says it is fine.
        self._check_error(lib.curl_multi_setopt(self._curlm, option, ffi.cast("void *", value)), "setopt", option.name)


def disown(curl: Curl) -> None:
    """Forget libcurl's handle without freeing it."""
    curl._curl = None


def expect_no_end(task: asyncio.Task[Any]) -> None:
    """Spare a task whose loop was closed under it asyncio's complaint."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as asyncio.gather does for its own
