"""Checked files become a snapshot: each is brought to its path, and a note says what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mirrorhub.chain import Chain
from mirrorhub.models import Manifest, Snapshot
from mirrorhub.partials import PartialPool
from mirrorhub.paths import OWN_FOLDER
from mirrorhub.plan import Plan
from mirrorhub.report.account import Account
from mirrorhub.stores.disk import disk_errors
from mirrorhub.stores.notes import merged, stamp_of
from mirrorhub.stores.publish import Vanished
from mirrorhub.stores.registry import Store
from mirrorhub.stores.seen import Stamp
from mirrorhub.transfer import Fetched


def publish(
    store: Store,
    manifest: Manifest,
    plan: Plan,
    fetched: Mapping[str, Fetched],
    account: Account,
    *,
    whole: bool = True,
) -> None:
    """Bring the files to their paths, and write down what is there.

    Args:
        store: Where.
        manifest: What the repository holds.
        plan: What was to be brought.
        fetched: How each file came.
        account: Who keeps how it came.
        whole: More was asked for than files named exactly.

    Raises:
        Vanished: Another process, that no lock kept away, was faster.
        StoreError: The disk refuses.
    """
    by_content = {entry.digest or entry.path: fetched[entry.path].place for entry in plan.fetch}
    missing = [entry for entry in plan.wanted if entry.path not in plan.held and entry.path not in plan.spare]
    places = {entry.path: by_content[entry.digest or entry.path] for entry in missing} | dict(plan.spare)
    reports = [one.report for one in fetched.values()]
    with disk_errors(store.home):
        stamps = _held_stamps(store.place(manifest), plan) | {path: _stamp(place) for path, place in places.items()}
        note = merged(store.note(manifest), manifest, stamps, reports, plan.told)
        store.publish(manifest, places, note)
        store.leave_marks(manifest, note, whole=whole)
        PartialPool(store.home / OWN_FOLDER).clear()
    account.published(store, manifest, plan)


def snapshot_of(store: Store, manifest: Manifest, plan: Plan, fetched: Mapping[str, Fetched], chain: Chain) -> Snapshot:
    """Say what is there now, and how it came."""
    return Snapshot(
        path=store.place(manifest),
        manifest=manifest,
        files=tuple(entry.path for entry in plan.wanted),
        reports=tuple(one.report for one in fetched.values()),
        attempts=tuple(chain.attempts),
        verified=plan.verified,
    )


def _held_stamps(folder: Path, plan: Plan) -> dict[str, Stamp]:
    """Return the stamps of what was there when the call began, and was looked at then.

    Raises:
        Vanished: A file has been changed since: what is there now was never checked.
    """
    for path, stamp in plan.held.items():
        if _stamp(folder / path) != stamp:
            raise Vanished(folder / path)
    return dict(plan.held)


def _stamp(place: Path) -> Stamp:
    try:
        return stamp_of(place)
    except FileNotFoundError:
        raise Vanished(place) from None
