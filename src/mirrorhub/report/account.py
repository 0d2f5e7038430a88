"""From what a call has met to the report that is kept of it, without secrets and no longer than anybody reads."""

from __future__ import annotations

import asyncio
import logging
import platform
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from mirrorhub import __version__
from mirrorhub.chain import Chain
from mirrorhub.config import Settings
from mirrorhub.models import Endpoint, Manifest, SnapshotRequest, TransferReport
from mirrorhub.plan import Plan, wanted_files
from mirrorhub.report import CANCELLED, FAILED, PUBLISHED, STALE, FileStory, Part, Report, SettingRow
from mirrorhub.report.discretion import discretion_for
from mirrorhub.report.shelf import keep, keep_failed
from mirrorhub.stopwatch import Stopwatch
from mirrorhub.stores.registry import Store, store_for
from mirrorhub.transfer.lanes import Lanes

log = logging.getLogger(__name__)
MAX_FILES = 100
"""Files that a report tells of, one by one."""
MAX_SHARES = 20
"""Givers of one file, and runs of one giver, that it names."""
_STANDING_ON = {"curl": "curl_cffi", "httpx": "httpx"}


class Account:
    """Gives an account of one call, once it is over.

    Attributes:
        manifest: What the repository holds, once somebody has said so.
    """

    def __init__(
        self, request: SnapshotRequest, settings: Settings, chain: Chain, lanes: Lanes, watch: Stopwatch
    ) -> None:
        self.manifest: Manifest | None = None
        self._request = request
        self._settings = settings
        self._chain = chain
        self._lanes = lanes
        self._watch = watch
        self._began_at = time.time()

    def published(self, store: Store, manifest: Manifest, plan: Plan) -> None:
        """Keep how a snapshot came; of a call that brought nothing there is nothing to tell."""
        if plan.fetch or plan.spare:
            with _harmless():
                keep(store.home, store.label(manifest), self._report(PUBLISHED, "", store), self._settings.state_dir)

    def failed(self, error: BaseException) -> None:
        """Keep why nothing came."""
        cancelled = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        with _harmless():
            report = self._report(CANCELLED, "") if cancelled else self._report(FAILED, _words(error))
            keep_failed(self._settings.state_dir, report)

    def stale(self, error: Exception) -> None:
        """Keep why nobody could be asked, although what was there would do."""
        with _harmless():
            keep_failed(self._settings.state_dir, self._report(STALE, _words(error)))

    def _report(self, outcome: str, error: str, store: Store | None = None) -> Report:
        logbook, manifest, request = self._chain.logbook, self.manifest, self._request
        store = store or store_for(request.repo, self._settings, request.local_dir)
        files = {one.path: one for one in logbook.files}.values()
        report = Report(
            repo=str(request.repo),
            revision=(manifest.revision if manifest else request.revision) or "default",
            commit=(manifest.commit if manifest else None) or "",
            vouched_by=str(manifest.vouched_by) if manifest else "",
            place=str(store.home),
            outcome=outcome,
            error=error,
            began_at=self._began_at,
            elapsed_s=logbook.elapsed_s,
            phases=self._watch.phases,
            parts=self._parts(),
            flows=logbook.flows(),
            bin_s=logbook.bin_s,
            troubles=logbook.troubles(),
            waits=logbook.waits(),
            convictions=logbook.convictions,
            files=told_of(files),
            wanted=len(wanted_files(manifest, request.wanted)) if manifest else 0,
            came=len(files),
            size=sum(one.size for one in files),
            reused=sum(one.reused for one in files),
            settings=tuple(SettingRow(*row) for row in self._settings.rows() if row[2] != "default"),
            versions=_versions(self._settings.carrier),
        )
        return discretion_for(
            self._settings, self._chain.endpoints, request.token, (value for _, value in request.headers)
        ).cleaned(report)

    def _parts(self) -> tuple[Part, ...]:
        lanes = {report.endpoint: (report.lanes, report.reason) for report in self._lanes.reports()}
        received = {str(endpoint): size for endpoint, size in self._chain.received()}
        given = self._given(received)
        return tuple(self._part(endpoint, given, lanes, received) for endpoint in self._chain.endpoints)

    def _given(self, received: Mapping[str, int]) -> dict[str, str]:
        """Say in words what each endpoint gave that is of use; nothing of those that gave nothing."""
        logbook = self._chain.logbook
        listed = {one.endpoint for one in self._chain.attempts if one.fault is None and one.subject == "listing"}
        # A call that fails leaves bytes for the next one, and no file that could say whose they are.
        kept = {name for name, size in received.items() if size > logbook.lost_by(name)}
        served = kept | {share.endpoint for one in logbook.files for share in one.shares}
        return dict.fromkeys(listed, "listing only") | dict.fromkeys(served, "served")

    def _part(
        self, endpoint: Endpoint, given: dict[str, str], lanes: dict[str, tuple[int, str]], received: dict[str, int]
    ) -> Part:
        name = str(endpoint)
        asked = self._chain.logbook.of(name)
        nothing = "asked" if asked.connecting.times else "not asked"
        return Part(
            name,
            endpoint.hub,
            endpoint.voucher.kind,
            "out" if self._chain.is_out(endpoint) else given.get(name, nothing),
            asked.connecting.times,
            asked.connecting.total_s,
            asked.answering.total_s,
            asked.giving.total_s,
            received[name],
            max(0, self._chain.logbook.lost_by(name)),
            *lanes.get(name, (0, "")),
        )


def told_of(files: Iterable[TransferReport]) -> tuple[FileStory, ...]:
    """Choose the files to tell of: those with a story first, then the largest."""
    chosen = sorted(files, key=lambda one: (len(one.shares) < 2 and not one.reused, -one.size))[:MAX_FILES]
    return tuple(map(_story, chosen))


def _story(one: TransferReport) -> FileStory:
    shares = tuple(replace(share, runs=share.runs[:MAX_SHARES]) for share in one.shares[:MAX_SHARES])
    return FileStory(one.path, one.size, one.reused, one.tries, one.elapsed_s, one.verified, shares)


@contextmanager
def _harmless() -> Iterator[None]:
    """No call fails because nothing could be told of it."""
    try:
        yield
    except Exception:
        log.warning("no report could be made of this call; please report this", exc_info=True)


def _words(error: BaseException) -> str:
    """Name an error, without the attempts that led to it: they are told of one by one."""
    return f"{type(error).__name__}: {' '.join(str(getattr(error, 'message', None) or error).split())}"


def _versions(carrier: str) -> tuple[tuple[str, str], ...]:
    return (
        ("mirrorhub", __version__),
        (_STANDING_ON[carrier], _version(_STANDING_ON[carrier])),
        ("python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
    )


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
