"""What users call: arguments become a request, and the request is answered from disk or on the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast

from mirrorhub.arguments import Options
from mirrorhub.call import Call, afetched, call_of, fetched
from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError, NotCachedError
from mirrorhub.hubs.aliases import pinned_manifest
from mirrorhub.models import PINNED, Endpoint, Manifest, Snapshot, Trust
from mirrorhub.pinned import entries_for, pinned_for
from mirrorhub.recall import recall_offline
from mirrorhub.repo_names import repo_of
from mirrorhub.stores.registry import stores_for

if TYPE_CHECKING:
    from mirrorhub.bench.comparison import Comparison
    from mirrorhub.bench.outlook import Outlook
    from mirrorhub.http.client import Client
    from mirrorhub.hubs.modelscope import Tag
    from mirrorhub.preview import Preview
    from mirrorhub.report import Report
    from mirrorhub.vad import Vad

FSMN_VAD = "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch"
VAD_FILES = ("am.mvn", "config.yaml", "configuration.json", "model.pt")


def fetch(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Bring a repository, or part of it, to disk, and say how it came.

    Args:
        repo_id: `owner/name`; `hf://owner/name` and `ms://owner/name`, or `huggingface:owner/name` and
            `modelscope:owner/name`, name the hub, `hf://datasets/owner/name` a type.
        revision: Branch, tag or commit; the hub's default branch if None; `pinned` for the built-in digests.
        cache_dir: The cache directory instead of the SDK's own.
        **options: See `Options`.

    Returns:
        Where it is, what it holds, who vouched for it, and how each file came.

    Raises:
        ConfigError: An argument or a setting cannot be used.
        ResolutionError: Nobody could say what the repository holds.
        TransferError: A file did not come.
        NotCachedError: Offline, and not on disk.
        PinnedError: What is locked is not to be had, or is not what is asked for.
        StoreError: The disk refuses.
        LockTimeoutError: Another process holds the repository for too long.
    """
    return fetched(call_of(repo_id, revision, cache_dir, options))


async def afetch(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Do what `fetch` does, from a running event loop."""
    return await afetched(call_of(repo_id, revision, cache_dir, options))


def snapshot_download(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> str:
    """Do what `fetch` does, and return the directory: modelscope's and huggingface_hub's function of this name."""
    return str(fetch(repo_id, revision, cache_dir, **options).path)


async def asnapshot_download(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> str:
    """Do what `snapshot_download` does, from a running event loop."""
    return str((await afetch(repo_id, revision, cache_dir, **options)).path)


def file_download(
    repo_id: str,
    path: str,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> str:
    """Bring one file to disk; return where it is.

    Args:
        repo_id: As for `fetch`.
        path: The file's path in the repository.
        revision: As for `fetch`.
        cache_dir: As for `fetch`.
        **options: See `Options`.

    Raises:
        ResolutionError: The repository has no such file; and all that `fetch` raises.
    """
    snapshot = fetched(call_of(repo_id, revision, cache_dir, options, paths=(path,)))
    return str(snapshot.path / path)


async def afile_download(
    repo_id: str,
    path: str,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> str:
    """Do what `file_download` does, from a running event loop."""
    snapshot = await afetched(call_of(repo_id, revision, cache_dir, options, paths=(path,)))
    return str(snapshot.path / path)


def resolve(repo_id: str | None = None, revision: str | None = None, **options: Unpack[Options]) -> Manifest:
    """Find out what a repository holds and who vouches for it; fetch nothing.

    Raises:
        ResolutionError: Nobody could say.
        NotCachedError: Offline, and nothing is known of it here.
    """
    from mirrorhub import loop

    call = call_of(repo_id, revision, None, options)
    if call.offline:
        return recall_offline(call.request, call.settings, pinned_for(call.request, call.settings)).manifest
    if pinned := pinned_for(call.request, call.settings):
        return pinned
    return loop.run(call.resolve, call.settings)


async def aresolve(repo_id: str | None = None, revision: str | None = None, **options: Unpack[Options]) -> Manifest:
    """Do what `resolve` does, from a running event loop."""
    from mirrorhub import loop

    call = call_of(repo_id, revision, None, options)
    if call.offline:
        return recall_offline(call.request, call.settings, pinned_for(call.request, call.settings)).manifest
    if pinned := pinned_for(call.request, call.settings):
        return pinned
    return await loop.arun(call.resolve, call.settings)


def preview(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    paths: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> Preview:
    """Say what `fetch` would bring and what is on disk already: a dry run. Nothing is fetched, nothing written.

    Args:
        repo_id: As for `fetch`.
        revision: As for `fetch`.
        cache_dir: As for `fetch`.
        paths: Files named exactly, instead of patterns.
        **options: See `Options`.

    Raises:
        ResolutionError: Nobody could say what the repository holds, or it has no file that was named.
        NotCachedError: Offline, and not all of it is on disk.
    """
    from mirrorhub import loop

    call = call_of(repo_id, revision, cache_dir, options, paths=None if paths is None else tuple(paths))
    return call.previewed_from_disk() or loop.run(call.preview, call.settings)


async def apreview(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    paths: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> Preview:
    """Do what `preview` does, from a running event loop."""
    import asyncio

    from mirrorhub import loop

    call = call_of(repo_id, revision, cache_dir, options, paths=None if paths is None else tuple(paths))
    found = await asyncio.to_thread(call.previewed_from_disk)
    return await loop.arun(call.preview, call.settings) if found is None else found


def newest_tag(repo_id: str, before_s: float, **options: Unpack[Options]) -> str | None:
    """Return the newest tag of a ModelScope repository that is no newer than so many epoch seconds.

    Returns:
        Its name; None where there is none, where nobody says, where nobody may be asked, and where a lock file says
            which revision is meant.
    """
    from mirrorhub import loop

    call = call_of(repo_id, None, None, options)
    if call.offline or entries_for(call.request.repo, call.settings):
        return None

    async def work(client: Client) -> tuple[Tag, ...]:
        from mirrorhub.lookup import look_up_tags

        return await look_up_tags(call.request, call.settings, client)

    tags = [tag for tag in loop.run(work, call.settings) if tag.name and tag.created_s <= before_s]
    return max(tags, key=lambda tag: tag.created_s).name if tags else None


class VadSource(TypedDict, total=False):
    """Where `load_vad` takes the model from; each as for `fetch`."""

    cache_dir: str | os.PathLike[str] | None
    hub: str
    endpoints: str | Endpoint | Sequence[str | Endpoint] | None
    local_files_only: bool | None
    token: str | bool | None
    lockfile: str | os.PathLike[str] | Literal[False] | None
    trust: Trust | None
    timeout: float | None
    settings: Settings | None


def load_vad(
    model: str | os.PathLike[str] = FSMN_VAD, *, revision: str | None = None, preset: str | None = None, **options: Any
) -> Vad:
    """Bring a voice activity detector to disk and load it.

    Args:
        model: A repository, or a directory with the files.
        revision: As for `fetch`; if None, what is locked, else the built-in digests where there are some.
        preset: `default`, or None for the same.
        **options: `cache_dir`, `hub`, `endpoints`, `local_files_only`, `token`, `lockfile`, `trust`, `timeout` and
            `settings` as for `fetch`; all others are the detector's, see `mirrorhub.vad.Options`.

    Raises:
        TypeError: An option that is neither; the message lists the known ones.
        WeightsError: The files are not those of a known model.
        MirrorHubError: What `fetch` raises.
    """
    from mirrorhub.vad import Vad

    source, parameters = _parted(options, preset)
    if directory := _local_directory(model):
        return Vad(directory, **parameters)
    return Vad(fetch_vad_files(str(model), revision, **source).path, **parameters)


async def aload_vad(
    model: str | os.PathLike[str] = FSMN_VAD, *, revision: str | None = None, preset: str | None = None, **options: Any
) -> Vad:
    """Do what `load_vad` does, from a running event loop."""
    import asyncio

    from mirrorhub.vad import Vad

    source, parameters = _parted(options, preset)
    directory = _local_directory(model)
    if directory is None:
        cache_dir = source.pop("cache_dir", None)
        directory = (await afetched(_vad_call(str(model), revision, cache_dir, cast("Options", source)))).path
    return await asyncio.to_thread(Vad, directory, **parameters)


def fetch_files(
    repo_id: str,
    paths: Sequence[str],
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Do what `fetch` does, for files named exactly."""
    return fetched(call_of(repo_id, revision, cache_dir, options, paths=tuple(paths)))


def fetch_vad_files(
    model: str = FSMN_VAD,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Bring what the detector reads, and nothing else of the repository: what `load_vad` does before it loads."""
    return fetched(_vad_call(model, revision, cache_dir, options))


def bench(
    repo_id: str = FSMN_VAD,
    revision: str | None = None,
    *,
    rounds: int = 3,
    limit: int = 8_000_000,
    told: Callable[[int, Endpoint], None] = lambda _number, _endpoint: None,
    **options: Unpack[Options],
) -> Comparison:
    """Compare the endpoints that could serve a repository; nothing is kept of what they give but how they did.

    Args:
        repo_id: As for `fetch`.
        revision: As for `fetch`.
        rounds: How often each endpoint is visited.
        limit: Bytes that each endpoint is asked for at most, in all rounds.
        told: Called with the number of the round and the endpoint when a visit begins.
        **options: See `Options`; those that say where files go mean nothing here.

    Raises:
        ConfigError: An argument or a setting cannot be used.
        NotCachedError: The call is offline.
    """
    from mirrorhub import loop

    call = call_of(repo_id, revision, None, options)
    if call.offline:
        raise NotCachedError(f"Endpoints cannot be compared offline, and {call.offline_by} says to be.")

    async def work(_: Client) -> Comparison:
        # Not over the loop's own connections: each visit has cold ones.
        from mirrorhub.bench.keeping import keep
        from mirrorhub.bench.rounds import compare

        found = await compare(call.request, call.settings, rounds=rounds, limit=limit, told=told)
        keep(found, call.settings)
        return found

    return loop.run(work, call.settings)


def why(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> tuple[Report, ...]:
    """Say how a repository came to disk, or why it did not; nobody is asked.

    Args:
        repo_id: As for `fetch`; None for whatever was fetched last.
        revision: As for `fetch`; whichever came last if None. A commit is known by its name, too.
        cache_dir: As for `fetch`; without it and `local_dir` the last calls count, wherever they put it.
        **options: See `Options`; of these `hub`, `repo_type`, `local_dir` and `settings` mean something here.

    Returns:
        The report of the last call that failed, if it was later than the snapshot, and then the snapshot's; nothing
        where nothing is known.

    Raises:
        ConfigError: An argument or a setting cannot be used.
    """
    from mirrorhub.report.discretion import discretion_for
    from mirrorhub.report.shelf import known_of, latest

    if repo_id is None:
        return latest((options.get("settings") or Settings.load()).state_dir)
    call = call_of(repo_id, revision, cache_dir, options)
    homes = [store.home for store in stores_for(call.request, call.settings)]
    is_placed = cache_dir is not None or call.request.local_dir is not None
    place = discretion_for(call.settings, (), None).clean(str(homes[0])) if is_placed else None
    told = (known_of(home, call.settings.state_dir, call.is_told_of, place) for home in homes)
    return next((reports for reports in told if reports), ())


def outlook(
    repo_id: str = FSMN_VAD, revision: str | None = None, *, probe: bool = False, **options: Unpack[Options]
) -> tuple[Outlook, ...]:
    """Say in which order the endpoints of a repository would be asked now, and what is remembered of each.

    Args:
        repo_id: As for `fetch`.
        revision: As for `fetch`; it matters only to a probe.
        probe: Ask each for its listing first, all at once, and remember what came of it.
        **options: See `Options`; those that say where files go mean nothing here.

    Raises:
        ConfigError: An argument or a setting cannot be used.
        NotCachedError: A probe was asked for, and the call is offline.
    """
    from mirrorhub.bench.outlook import outlook_of, probed

    call = call_of(repo_id, revision, None, options)
    if not probe:
        return outlook_of(call.request, call.settings)
    if call.offline:
        raise NotCachedError(f"Endpoints cannot be probed offline, and {call.offline_by} says to be.")
    from mirrorhub import loop

    async def work(_: Client) -> tuple[Outlook, ...]:
        # Not over the loop's own connections: what stands already cannot be measured.
        return await probed(call.request, call.settings)

    return loop.run(work, call.settings)


def forget(*endpoints: str, settings: Settings | None = None) -> bool:
    """Forget what is remembered of these endpoints and of the hosts they redirect to; of all, where none is named.

    Args:
        *endpoints: Addresses.
        settings: Instead of the environment and the config file.

    Returns:
        Whether it is forgotten; False where the state directory cannot be written.

    Raises:
        ConfigError: An address, or a setting, cannot be used.
    """
    from mirrorhub.endpoints import named_endpoint
    from mirrorhub.health import Health

    named = [named_endpoint(address) for address in endpoints]
    return Health((settings or Settings.load()).state_dir).forget(named or None)


def is_remembered(endpoint: str, settings: Settings | None = None) -> bool:
    """Whether anything is remembered of an endpoint.

    Args:
        endpoint: Its address.
        settings: Instead of the environment and the config file.

    Raises:
        ConfigError: The address, or a setting, cannot be used.
    """
    from mirrorhub.endpoints import named_endpoint
    from mirrorhub.health import Health

    return Health((settings or Settings.load()).state_dir).knows(named_endpoint(endpoint))


def is_pinned(repo_id: str, hub: str = "auto") -> bool:
    """Whether the digests of a repository's files are built in."""
    return pinned_manifest(repo_of(repo_id, hub, "model")) is not None


def _vad_call(model: str, revision: str | None, cache_dir: str | os.PathLike[str] | None, options: Options) -> Call:
    """Ask for the detector's files: as the project has locked them, else as their digests are built in."""
    call = call_of(model, revision, cache_dir, options, paths=VAD_FILES)
    if revision is not None or pinned_manifest(call.request.repo) is None:
        return call
    locked = any(set(VAD_FILES) <= one.paths for one in entries_for(call.request.repo, call.settings))
    return call if locked else replace(call, request=replace(call.request, revision=PINNED))


def _parted(options: dict[str, Any], preset: str | None) -> tuple[VadSource, dict[str, Any]]:
    """Part where the model comes from and how it detects; check the latter before anything is fetched."""
    from mirrorhub.vad import Options as Detector

    if preset not in (None, "default"):
        raise ConfigError(f"preset {preset!r} is not known; known is: default")
    source = {name: value for name, value in options.items() if name in VadSource.__annotations__}
    parameters = {name: value for name, value in options.items() if name not in source}
    Detector().changed(parameters)
    return cast("VadSource", source), parameters


def _local_directory(model: str | os.PathLike[str]) -> Path | None:
    """Return the directory, if that is what was given and not a repository's id."""
    if not isinstance(model, str):
        return Path(model)
    path = Path(model).expanduser()
    looks_local = path.is_absolute() or model.startswith((".", "~")) or "\\" in model
    return path if looks_local or path.is_dir() else None
