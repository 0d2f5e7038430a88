"""What is on disk already: no loop is started here, no socket opened, nothing written but that a file was hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mirrorhub.config import Settings
from mirrorhub.errors import MissingFileError, NotCachedError, PinnedError
from mirrorhub.models import PINNED, FileEntry, Manifest, Snapshot, SnapshotRequest, Trust, Voucher, VoucherKind
from mirrorhub.pinned import is_locked
from mirrorhub.plan import scope_of, wanted_files
from mirrorhub.stores.notes import Note, held_files, left_over
from mirrorhub.stores.registry import Store, store_for, stores_for
from mirrorhub.strays import check_strays, files_below

_HEX = frozenset("0123456789abcdef")
_NOBODY = Voucher("nobody", "found on disk")
_WORTH: dict[Trust, frozenset[VoucherKind]] = {
    "lock": frozenset({"lock", "pin"}),
    "official": frozenset({"lock", "pin", "official"}),
    "auto": frozenset({"lock", "pin", "official", "named", "mirror"}),
    "any": frozenset({"lock", "pin", "official", "named", "mirror", "nobody"}),
}
"""Whose word counts at each level of trust: see `resolver`."""
TAKING_AT_ITS_WORD: frozenset[Trust] = frozenset({"auto", "any"})
"""Where nobody can be asked, these also take what is on disk and nobody has vouched for; the snapshot says so."""


def recall(request: SnapshotRequest, settings: Settings, manifest: Manifest | None) -> Snapshot | None:
    """Return the snapshot if what is asked for can never change and is there.

    Args:
        request: What is asked for.
        settings: Where the caches are.
        manifest: What is pinned, where the request means that.

    Raises:
        PinnedError: There is more than what is locked.
    """
    if manifest is not None:
        check_strays(request, store_for(request.repo, settings, request.local_dir), manifest)
    if request.force_download:
        return None
    if manifest is not None:
        store = store_for(request.repo, settings, request.local_dir)
        # An SDK that is offline follows the revision's name: where it leads elsewhere, it is led back.
        return None if is_locked(manifest) and not store.names(manifest) else _pinned(request, store, manifest)
    if request.revision is None or not _is_commit(request.revision):
        return None
    tried = (remembered(request, store) for store in stores_for(request, settings))
    return next((one for one in tried if one and counts(one.vouched_by, settings)), None)


def recall_offline(request: SnapshotRequest, settings: Settings, manifest: Manifest | None) -> Snapshot:
    """Return the snapshot as it is on disk.

    Raises:
        NotCachedError: It is not there, or not all of it, or nobody whose word counts has vouched for it.
        PinnedError: There is more than what is locked.
    """
    if manifest is not None:
        store = store_for(request.repo, settings, request.local_dir)
        check_strays(request, store, manifest)
        found = _pinned(request, store, manifest)
    else:
        found = _on_disk(request, settings)
    if found is None and manifest is not None and is_locked(manifest):
        raise _not_as_locked(request, store_for(request.repo, settings, request.local_dir), manifest)
    if found is None:
        raise _not_cached(request, list(stores_for(request, settings)))
    return found


def _on_disk(request: SnapshotRequest, settings: Settings) -> Snapshot | None:
    """Find what there is; whoever trusts the official hub alone is not given what others have vouched for.

    Raises:
        NotCachedError: That is all there is.
    """
    first = None
    for store in stores_for(request, settings):
        found = remembered(request, store) or unnoted(request, store)
        if found is not None and counts(found.vouched_by, settings):
            return found
        first = first or found
    if first is not None and settings.trust not in TAKING_AT_ITS_WORD:
        raise _not_believed(request, first, settings)
    return first


def remembered(request: SnapshotRequest, store: Store) -> Snapshot | None:
    """Return a snapshot that our note says is complete, its files as they were when they were checked."""
    found = store.found(request.revision)
    folder, note = found or (store.home, None)
    if note is None or not _tells(note, request):
        return None
    chosen = chosen_files(note.manifest, request)
    held = store.notes.held(folder, chosen, note, verify=request.verify)
    if len(held) < len(chosen):
        return None
    told = () if request.verify else [path for path in note.told if path in held and note.trusts(path, held[path])]
    return _snapshot(folder, note.manifest, chosen, told)


def unnoted(request: SnapshotRequest, store: Store, *, closed: bool = False) -> Snapshot | None:
    """Take what an SDK has stored at its word, and let the snapshot say so: nobody who counts has vouched for it.

    What the SDK has written down of the directory counts as far as it goes: a file that should be there and is not
    makes it incomplete, and with `verify` the files are compared with its digests.

    Args:
        request: What is asked for.
        store: Where it may be.
        closed: Only if there is a note that this user may not read.
    """
    found = store.found(request.revision)
    if found is None or (found[1] is not None and _tells(found[1], request)):
        return None
    folder, note = found
    here = dict(files_below(folder))
    if note is not None and note.stamps.keys() >= here.keys():
        return None  # nobody but us has brought anything, and we know of a part
    manifest = _as_found(request, store, folder, here)
    if closed and not store.notes.is_closed(store.label(replace(manifest, commit=folder.name))):
        return None
    chosen = wanted_files(manifest, request.wanted)
    if not chosen or len(chosen) < len(request.wanted.paths or ()) or any(one.path not in here for one in chosen):
        return None
    known = [entry for entry in chosen if entry.digest is not None] if request.verify else []
    if len(held_files(folder, known, None, verify=True)) < len(known):
        return None
    return replace(_snapshot(folder, manifest, chosen), verified=len(known) == len(chosen))


def _tells(note: Note, request: SnapshotRequest) -> bool:
    """Whether a note knows of everything that is asked for; one of single files does not."""
    return note.manifest.covers(scope_of(request.wanted))


def _as_found(request: SnapshotRequest, store: Store, folder: Path, here: Mapping[str, int]) -> Manifest:
    """Describe a directory by what is in it, and what the SDK has written down of it."""
    listed = {entry.path: entry for entry in store.listed(folder)}
    missing = [entry for path, entry in listed.items() if path not in here]
    entries = [replace(listed.get(path, FileEntry(path)), size=size) for path, size in here.items()]
    commit = folder.name if request.repo.hub == "huggingface" and request.local_dir is None else None
    files = tuple(sorted((*entries, *missing), key=lambda entry: entry.path))
    return Manifest(request.repo, request.revision or folder.name, commit, files, _NOBODY)


def counts(voucher: Voucher, settings: Settings) -> bool:
    """Whether what is on disk is believed now: another project's lock file is no more than somebody whom it named."""
    is_foreign = voucher.kind == "lock" and voucher.name != str(settings.lockfile)
    return is_believed(replace(voucher, kind="named") if is_foreign else voucher, settings.trust)


def is_believed(voucher: Voucher, trust: Trust) -> bool:
    """Whether what is on disk was vouched for by somebody whose word counts now; who did may have counted then."""
    return voucher.kind in _WORTH[trust]


def chosen_files(manifest: Manifest, request: SnapshotRequest) -> tuple[FileEntry, ...]:
    """Return the wanted files.

    Raises:
        MissingFileError: A file was asked for by name and the repository does not have it.
        PinnedError: What is locked does not have it.
    """
    chosen = wanted_files(manifest, request.wanted)
    missing = set(request.wanted.paths or ()) - {entry.path for entry in chosen}
    if missing and is_locked(manifest):
        raise _not_locked(min(missing), manifest)
    if missing:
        name = min(missing)
        message = f"{manifest.repo}@{manifest.revision} has no file {name!r}{_similar(name, manifest)}."
        raise MissingFileError(message, file=name)
    return chosen


def _pinned(request: SnapshotRequest, store: Store, manifest: Manifest) -> Snapshot | None:
    """Find pinned content wherever it lies: the digests say whether it is the same."""
    chosen = chosen_files(manifest, request)
    for folder, note in _places(store, manifest):
        if is_locked(manifest) and request.wanted.paths is None and _holds_more(folder, manifest, store):
            continue
        same = note is not None and note.manifest.confirms(manifest)
        look = store.notes.held if same else held_files
        if len(look(folder, chosen, note, verify=request.verify)) == len(chosen):
            return _snapshot(folder, manifest, chosen)
    return None


def _places(store: Store, manifest: Manifest) -> Iterator[tuple[Path, Note | None]]:
    own = store.place(manifest)
    yield own, sure_note(store, manifest)
    for folder in store.directories():
        if folder != own:
            yield folder, None


def _holds_more(folder: Path, manifest: Manifest, store: Store) -> bool:
    """Whether there are files beside the locked ones: ours of another state; in a place of another name, anybody's."""
    if folder == store.place(manifest):
        return bool(left_over(folder, store.note(manifest), Note(manifest, {})))
    known = {entry.path for entry in manifest.files}
    return manifest.scope is None and any(path not in known for path, _ in files_below(folder, links=True))


def _not_locked(name: str, manifest: Manifest) -> PinnedError:
    return PinnedError(
        f"{manifest.repo}@{manifest.revision} as it is locked in {manifest.vouched_by.name} has no file "
        f"{name!r}{_similar(name, manifest)}. `mirrorhub lock diff {manifest.repo}` shows what has been added since.",
        file=name,
    )


def _not_as_locked(request: SnapshotRequest, store: Store, manifest: Manifest) -> NotCachedError:
    """Say which of the locked files are not there."""
    folder, chosen = store.place(manifest), chosen_files(manifest, request)
    held = held_files(folder, chosen, store.note(manifest), verify=request.verify)
    lacking = [entry.path for entry in chosen if entry.path not in held]
    if lacking and not any((folder / path).exists() for path in lacking):
        what = f"{_named(folder, lacking)} is not there,"
    elif lacking:
        what = f"{_named(folder, lacking)} is not"
    else:
        what = f"{folder} holds files of another state, and is not"
    error = NotCachedError(
        f"{what} as {manifest.repo}@{manifest.revision} is locked in {manifest.vouched_by.name}, and this call is "
        "offline. Bring it with `mirrorhub download` where there is a network."
    )
    error.locked = True
    return error


def sure_note(store: Store, manifest: Manifest) -> Note | None:
    """Return what is known of a snapshot; where a lock file says what it is, without what was only told of it."""
    note = store.note(manifest)
    if note is None or not note.told or not is_locked(manifest):
        return note
    return replace(note, stamps={path: stamp for path, stamp in note.stamps.items() if path not in note.told})


def _not_believed(request: SnapshotRequest, found: Snapshot, settings: Settings) -> NotCachedError:
    return NotCachedError(
        f"{request.repo} is in {found.path}, but whose word it is ({found.vouched_by}) does not count: trust is "
        f"{settings.trust!r} ({settings.sources.get('trust', 'settings')}), and this call is offline. Bring it with "
        "`mirrorhub download` where the official hub can be asked, lock it, or trust 'auto'."
    )


def _not_cached(request: SnapshotRequest, stores: Sequence[Store]) -> NotCachedError:
    """Say what is not there: of a snapshot that was whole once, the file that is not as it was."""
    name = f"{request.repo}@{request.revision}" if request.revision else f"{request.repo}"
    places = [(store, *found) for store in stores if (found := store.found(request.revision))]
    if lost := next(((folder, one) for _, folder, note in places if (one := _lost(request, folder, note))), None):
        return NotCachedError(
            f"{_named(*lost)} of {name} is not complete, and this call is offline: it was checked when it "
            "was published, and is gone or changed since. Where there is a network, `mirrorhub download` or "
            "`mirrorhub cache verify --repair` brings that file alone; or copy it from a machine that has it."
        )
    if lost := next(((folder, one) for store, folder, _ in places if (one := _missing(request, store, folder))), None):
        return NotCachedError(
            f"{_named(*lost)} of {name} is not there, and this call is offline: what has brought the rest did not "
            "bring it, or it is gone since. Bring it with `mirrorhub download` where there is a network."
        )
    return NotCachedError(
        f"{name} is not complete in {stores[0].home}, and this call is offline. "
        "Bring it with `mirrorhub download` where there is a network, or point the cache directory to where it is."
    )


def _named(folder: Path, paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{folder / paths[0]}{more}"


def _missing(request: SnapshotRequest, store: Store, folder: Path) -> list[str]:
    """Return wanted files that the SDK has written should be there, and that are not."""
    here = dict(files_below(folder))
    chosen = wanted_files(_as_found(request, store, folder, here), request.wanted)
    return [entry.path for entry in chosen if entry.path not in here]


def _lost(request: SnapshotRequest, folder: Path, note: Note | None) -> list[str]:
    """Return wanted files that were there once, and are not now as they were."""
    if note is None:
        return []
    chosen = wanted_files(note.manifest, request.wanted)
    held = held_files(folder, chosen, note, verify=request.verify)
    return [entry.path for entry in chosen if entry.path in note.stamps and entry.path not in held]


def _snapshot(folder: Path, manifest: Manifest, chosen: tuple[FileEntry, ...], told: Iterable[str] = ()) -> Snapshot:
    unsure = frozenset(told)
    verified = all(entry.digest is not None and entry.path not in unsure for entry in chosen)
    return Snapshot(folder, manifest, tuple(entry.path for entry in chosen), verified=verified)


def _similar(name: str, manifest: Manifest) -> str:
    import difflib  # only on the way to an error

    if manifest.scope is not None:
        return ""
    close = difflib.get_close_matches(name, [entry.path for entry in manifest.files], n=1)
    return f"; did you mean {close[0]!r}?" if close else f" among its {len(manifest.files)}"


def _is_commit(revision: str) -> bool:
    return revision == PINNED or (len(revision) == 40 and _HEX.issuperset(revision))
