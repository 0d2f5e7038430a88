"""What users call: arguments become a request, and the request is answered from disk or on the loop."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast, get_args

from mirrorhub.config import Settings
from mirrorhub.errors import ConfigError, NotCachedError
from mirrorhub.hubs.aliases import pinned_manifest
from mirrorhub.models import (
    MAX_WORKERS,
    PINNED,
    Endpoint,
    HubName,
    Manifest,
    Repo,
    RepoType,
    Snapshot,
    SnapshotRequest,
    Trust,
    Wanted,
    Watchers,
)
from mirrorhub.paths import revision_problem
from mirrorhub.recall import pinned_for, recall, recall_offline
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
_PREFIXES: dict[str, HubName] = {
    "ms://": "modelscope",
    "hf://": "huggingface",
    "modelscope:": "modelscope",
    "huggingface:": "huggingface",
}
"""How a repository's hub is written; the longer ones stand in messages and reports."""
_TYPES: dict[str, RepoType] = {f"{name}s/": name for name in get_args(RepoType)}
_OF_MODELSCOPE: frozenset[RepoType] = frozenset({"model", "dataset"})
_OURS = frozenset({"host", "range", "accept-encoding", "content-length", "connection", "transfer-encoding", "te"})
"""Headers that say how bytes travel: that is not the caller's to say."""
_ID_PART = re.compile(r"\w[\w.+-]{0,95}")


class Options(TypedDict, total=False):
    """What every call takes beside the repository.

    Attributes:
        hub: `auto` (which means modelscope), `modelscope` or `huggingface`.
        repo_type: `model`, `dataset`, and on Hugging Face also `space` or `kernel`.
        endpoints: The chain: addresses, `Endpoint` values, the word `default`.
        local_dir: Put plain files here instead of into the cache.
        allow_patterns: Only files that match, as the repository's own SDK matches.
        ignore_patterns: No files that match.
        local_files_only: Use no network.
        force_download: Fetch although the files are there.
        token: For this call; False for none at all.
        max_workers: How many files at once.
        lockfile: No lock file is read yet: only None.
        trust: Who is believed: `lock`, `official`, `auto` or `any`.
        timeout: Total seconds; None for no limit.
        verify: Compare files on disk with their digests, not only with size and time.
        allow_stale: Return what is on disk when no endpoint can be asked.
        tqdm_class: The class of the progress bar.
        progress_callbacks: Classes made with (file name, size), with `update(n)` and `end()`, as in modelscope.
        settings: All settings at once, instead of the environment and the config file.
        model_id: modelscope's name for the repository.
        allow_file_pattern: modelscope's name for `allow_patterns`.
        ignore_file_pattern: modelscope's name for `ignore_patterns`.
        endpoint: The SDKs' name for a chain of one.
        headers: Sent to the hub itself, or to the one endpoint that was given with the call.
        user_agent: Said to the repository's hub beside our own name.
        files_bar: A second bar of `tqdm_class` counts files.
        cookies: Taken, not used; likewise etag_timeout, library_name and library_version.
    """

    hub: str
    repo_type: str | None
    endpoints: str | Endpoint | Sequence[str | Endpoint] | None
    local_dir: str | os.PathLike[str] | None
    allow_patterns: str | Iterable[str] | None
    ignore_patterns: str | Iterable[str] | None
    local_files_only: bool | None
    force_download: bool
    token: str | bool | None
    max_workers: int | None
    lockfile: None
    trust: Trust | None
    timeout: float | None
    verify: bool
    allow_stale: bool
    tqdm_class: Callable[..., Any] | None
    progress_callbacks: Sequence[Callable[[str, int], Any]] | None
    settings: Settings | None
    model_id: str | None
    allow_file_pattern: str | Iterable[str] | None
    ignore_file_pattern: str | Iterable[str] | None
    endpoint: str | None
    headers: Mapping[str, str] | None
    user_agent: Mapping[str, str] | str | None
    files_bar: bool
    cookies: object
    etag_timeout: object
    library_name: object
    library_version: object


@dataclass(frozen=True, slots=True)
class Call:
    """A request with the settings it is answered under."""

    request: SnapshotRequest
    settings: Settings
    offline: bool

    @property
    def offline_by(self) -> str:
        """What made the call offline: a variable, `config file`, or an argument."""
        found = self.settings.offline_by(self.request.repo.hub)
        return "local_files_only" if found is None else found

    def from_disk(self) -> Snapshot | None:
        """Answer without a loop or a socket, where that can be done.

        Raises:
            NotCachedError: The call is offline, and it cannot be done.
        """
        pinned = pinned_for(self.request, self.settings.trust)
        if self.offline:
            return recall_offline(self.request, self.settings, pinned)
        return recall(self.request, self.settings, pinned)

    def is_told_of(self, report: Report) -> bool:
        """Whether a report is one of what is asked for."""
        revision = self.request.revision
        return report.repo == str(self.request.repo) and revision in (None, report.revision, report.commit)

    async def fetch(self, client: Client) -> Snapshot:
        """Answer on the loop."""
        from mirrorhub.snapshot import fetch  # brings in httpx: only where something is asked for

        return await fetch(self.request, self.settings, client)

    async def resolve(self, client: Client) -> Manifest:
        """Answer on the loop what the repository holds, and fetch nothing."""
        from mirrorhub.lookup import look_up

        return await look_up(self.request, self.settings, client)

    async def preview(self, client: Client) -> Preview:
        """Answer on the loop what a call would do, and fetch nothing."""
        from mirrorhub.preview import preview

        return await preview(self.request, self.settings, client)

    def previewed_from_disk(self) -> Preview | None:
        """Answer the same without a loop or a socket, where that can be done.

        Raises:
            NotCachedError: The call is offline, and it cannot be done.
        """
        from mirrorhub.preview import preview_of, preview_on_disk

        pinned = pinned_for(self.request, self.settings.trust)
        if self.offline:
            return preview_on_disk(recall_offline(self.request, self.settings, pinned))
        return preview_of(self.request, self.settings, pinned) if pinned else None


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
        StoreError: The disk refuses.
        LockTimeoutError: Another process holds the repository for too long.
    """
    return _fetched(_call(repo_id, revision, cache_dir, options))


async def afetch(
    repo_id: str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Do what `fetch` does, from a running event loop."""
    return await _afetched(_call(repo_id, revision, cache_dir, options))


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
    snapshot = _fetched(_call(repo_id, revision, cache_dir, options, paths=(path,)))
    return str(snapshot.path / path)


async def afile_download(
    repo_id: str,
    path: str,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> str:
    """Do what `file_download` does, from a running event loop."""
    snapshot = await _afetched(_call(repo_id, revision, cache_dir, options, paths=(path,)))
    return str(snapshot.path / path)


def resolve(repo_id: str | None = None, revision: str | None = None, **options: Unpack[Options]) -> Manifest:
    """Find out what a repository holds and who vouches for it; fetch nothing.

    Raises:
        ResolutionError: Nobody could say.
        NotCachedError: Offline, and nothing is known of it here.
    """
    from mirrorhub import loop

    call = _call(repo_id, revision, None, options)
    if call.offline:
        return recall_offline(call.request, call.settings, pinned_for(call.request, call.settings.trust)).manifest
    if pinned := pinned_for(call.request, call.settings.trust):
        return pinned
    return loop.run(call.resolve, call.settings)


async def aresolve(repo_id: str | None = None, revision: str | None = None, **options: Unpack[Options]) -> Manifest:
    """Do what `resolve` does, from a running event loop."""
    from mirrorhub import loop

    call = _call(repo_id, revision, None, options)
    if call.offline:
        return recall_offline(call.request, call.settings, pinned_for(call.request, call.settings.trust)).manifest
    if pinned := pinned_for(call.request, call.settings.trust):
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

    call = _call(repo_id, revision, cache_dir, options, paths=None if paths is None else tuple(paths))
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

    call = _call(repo_id, revision, cache_dir, options, paths=None if paths is None else tuple(paths))
    found = await asyncio.to_thread(call.previewed_from_disk)
    return await loop.arun(call.preview, call.settings) if found is None else found


def newest_tag(repo_id: str, before_s: float, **options: Unpack[Options]) -> str | None:
    """Return the newest tag of a ModelScope repository that is no newer than so many epoch seconds.

    Returns:
        Its name; None where there is none, where nobody says, and where nobody may be asked.
    """
    from mirrorhub import loop

    call = _call(repo_id, None, None, options)
    if call.offline:
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
    trust: Trust | None
    timeout: float | None
    settings: Settings | None


def load_vad(
    model: str | os.PathLike[str] = FSMN_VAD, *, revision: str | None = None, preset: str | None = None, **options: Any
) -> Vad:
    """Bring a voice activity detector to disk and load it.

    Args:
        model: A repository, or a directory with the files.
        revision: As for `fetch`; the built-in digests if None and there are some.
        preset: `default`, or None for the same.
        **options: `cache_dir`, `hub`, `endpoints`, `local_files_only`, `token`, `trust`, `timeout` and `settings` as
            for `fetch`; all others are the detector's, see `mirrorhub.vad.Options`.

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
        directory = (await _afetched(_vad_call(str(model), revision, cache_dir, cast("Options", source)))).path
    return await asyncio.to_thread(Vad, directory, **parameters)


def fetch_files(
    repo_id: str,
    paths: Sequence[str],
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Do what `fetch` does, for files named exactly."""
    return _fetched(_call(repo_id, revision, cache_dir, options, paths=tuple(paths)))


def fetch_vad_files(
    model: str = FSMN_VAD,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    **options: Unpack[Options],
) -> Snapshot:
    """Bring what the detector reads, and nothing else of the repository: what `load_vad` does before it loads."""
    return _fetched(_vad_call(model, revision, cache_dir, options))


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

    call = _call(repo_id, revision, None, options)
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
    call = _call(repo_id, revision, cache_dir, options)
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

    call = _call(repo_id, revision, None, options)
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
    return pinned_manifest(_repo(repo_id, hub, "model")) is not None


def _vad_call(model: str, revision: str | None, cache_dir: str | os.PathLike[str] | None, options: Options) -> Call:
    if revision is None and is_pinned(model, options.get("hub", "auto")):
        revision = PINNED
    return _call(model, revision, cache_dir, options, paths=VAD_FILES)


def _fetched(call: Call) -> Snapshot:
    if found := call.from_disk():
        return found
    from mirrorhub import loop  # brings in asyncio: 40 ms that an answer from disk does not need

    return loop.run(call.fetch, call.settings)


async def _afetched(call: Call) -> Snapshot:
    import asyncio

    from mirrorhub import loop

    if found := await asyncio.to_thread(call.from_disk):
        return found
    return await loop.arun(call.fetch, call.settings)


def _call(
    repo_id: str | None,
    revision: str | None,
    cache_dir: str | os.PathLike[str] | None,
    options: Options,
    paths: tuple[str, ...] | None = None,
) -> Call:
    """Check and normalise the arguments of a call.

    Raises:
        TypeError: An unknown argument.
        ConfigError: A value that cannot be used.
    """
    if unknown := sorted(set(options) - set(Options.__annotations__)):
        raise TypeError(f"unknown argument {unknown[0]!r}; known are: {', '.join(sorted(Options.__annotations__))}")
    if options.get("lockfile") is not None:
        raise ConfigError("lockfile: lock files are not read by this version")
    repo = _repo(repo_id or options.get("model_id"), options.get("hub", "auto"), options.get("repo_type"))
    if revision is not None and (problem := revision_problem(revision)):
        raise ConfigError(f"revision {revision!r} {problem}")
    settings = _settings(repo.hub, cache_dir, options)
    local_dir = options.get("local_dir")
    request = SnapshotRequest(
        repo=repo,
        revision=revision,
        wanted=_wanted(repo.hub, options, paths),
        local_dir=Path(local_dir).expanduser().absolute() if local_dir is not None else None,
        token=options.get("token"),
        force_download=options.get("force_download", False),
        verify=options.get("verify", False),
        allow_stale=options.get("allow_stale", True),
        max_workers=_workers(MAX_WORKERS if (most := options.get("max_workers")) is None else most),
        watchers=_watchers(options),
        headers=_headers(options.get("headers")),
        agent=_agent(options.get("user_agent")),
    )
    return Call(request, settings, bool(options.get("local_files_only")) or settings.offline_for(repo.hub))


def _watchers(options: Options) -> Watchers:
    callbacks = tuple(options.get("progress_callbacks") or ())
    return Watchers(options.get("tqdm_class"), callbacks, options.get("files_bar", False))


def _headers(given: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    headers = tuple((str(name).lower(), str(value)) for name, value in (given or {}).items())
    if any(not (name + value).isprintable() for name, value in headers):
        raise ConfigError("headers: a name or value has characters that no header may have")
    return tuple((name, value) for name, value in headers if name not in _OURS)


def _agent(given: Mapping[str, str] | str | None) -> str:
    """Write who calls as huggingface_hub does; what no header may hold is left out."""
    if given is None:
        return ""
    text = given if isinstance(given, str) else "; ".join(f"{name}/{value}" for name, value in given.items())
    return "".join(char for char in text if char.isprintable() and char.isascii())


def _settings(hub: HubName, cache_dir: str | os.PathLike[str] | None, options: Options) -> Settings:
    given: dict[str, object] = {
        "endpoints": options.get("endpoints") or options.get("endpoint"),
        "trust": options.get("trust"),
        "timeout_s": options.get("timeout"),
        f"{hub}_cache": cache_dir,
    }
    settings = options.get("settings")
    if settings is None:
        return Settings.load(given)
    if beside := [name for name, value in given.items() if value is not None]:
        raise ConfigError(f"settings= says everything; {', '.join(beside)} cannot be given beside it")
    return settings


def _repo(given: str | None, hub: str, repo_type: str | None) -> Repo:
    if not isinstance(given, str) or not given.strip():
        raise ConfigError("a repository is needed: owner/name")
    if hub not in ("auto", "modelscope", "huggingface"):
        raise ConfigError(f"hub {hub!r} is not known; known are auto, modelscope, huggingface")
    kind: RepoType = cast("RepoType", repo_type or "model")
    if kind not in get_args(RepoType):
        raise ConfigError(f"repo_type {repo_type!r} is not known; known are {', '.join(get_args(RepoType))}")
    name, chosen = given.strip(), cast("HubName", "modelscope" if hub == "auto" else hub)
    for prefix, prefixed in _PREFIXES.items():
        if name.startswith(prefix):
            name, chosen = name.removeprefix(prefix), prefixed
            for folder, named_type in _TYPES.items():
                # On Hugging Face a name may stand without an owner, and no owner is called so.
                if name.startswith(folder) and name.count("/") in ((1, 2) if chosen == "huggingface" else (2,)):
                    name, kind = name.removeprefix(folder), named_type
    _check_id(name, chosen)
    if chosen == "modelscope" and kind not in _OF_MODELSCOPE:
        raise ConfigError(f"ModelScope has models and datasets, no {kind}s that could be fetched: {given!r}")
    return Repo(chosen, name, kind)


def _check_id(name: str, hub: HubName) -> None:
    parts = name.split("/")
    fine = all(_ID_PART.fullmatch(part) and ".." not in part and not part.endswith(".") for part in parts)
    if not fine or len(parts) > 2 or (hub == "modelscope" and len(parts) != 2):
        elsewhere = f", or hf://{name} for Hugging Face's" if len(parts) == 1 and _ID_PART.fullmatch(name) else ""
        raise ConfigError(
            f"{name!r} is no repository id: it should be owner/name, of letters, digits and - _ . +{elsewhere}"
        )


def _wanted(hub: HubName, options: Options, paths: tuple[str, ...] | None) -> Wanted:
    if paths is not None:
        return Wanted(paths=paths)
    allow = options.get("allow_patterns")
    ignore = options.get("ignore_patterns")
    given = options.get("allow_file_pattern") if allow is None else allow
    ignore = _patterns(options.get("ignore_file_pattern") if ignore is None else ignore, hub)
    allow = _patterns(given, hub)
    # An empty list is no wish to modelscope; to huggingface_hub it is the wish for nothing.
    return Wanted(allow=allow if hub == "huggingface" and given is not None else allow or None, ignore=ignore)


def _patterns(given: str | Iterable[str] | None, hub: HubName) -> tuple[str, ...]:
    """Read patterns; modelscope divides each text at commas."""
    patterns = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ConfigError("patterns are texts, like '*.onnx'")
    if hub == "modelscope":
        parts = (part.strip() for pattern in patterns for part in pattern.split(","))
        return tuple(part for part in parts if part)
    return patterns


def _workers(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ConfigError(f"max_workers is a whole number above 0, not {given!r}")
    return min(given, MAX_WORKERS)


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
