"""Every public name, used as its types promise. Checked by mypy --strict, never run."""

from __future__ import annotations

from pathlib import Path

from mirrorhub import (
    Endpoint,
    Manifest,
    Segment,
    Settings,
    Snapshot,
    afetch,
    afile_download,
    aload_vad,
    aresolve,
    asnapshot_download,
    close,
    errors,
    fetch,
    file_download,
    install,
    load_vad,
    resolve,
    snapshot_download,
    uninstall,
)


def sync() -> None:
    """Use the sync names."""
    snapshot: Snapshot = fetch("org/name", "main", Path("cache"), endpoints=["default", Endpoint("https://a.test")])
    path: str = snapshot_download("org/name", allow_patterns="*.onnx", settings=Settings.load())
    file: str = file_download("org/name", "config.json", hub="huggingface")
    manifest: Manifest = resolve("org/name", trust="official")
    segments: list[Segment] = load_vad(max_end_silence_time=500)(path)
    with install():
        uninstall()
    print(snapshot.path / file, manifest.vouched_by.kind, [segment.start_ms for segment in segments])
    close()


async def asynchronous() -> None:
    """Use the async twins."""
    snapshot: Snapshot = await afetch("org/name")
    path: str = await asnapshot_download("org/name")
    file: str = await afile_download("org/name", "config.json")
    manifest: Manifest = await aresolve("org/name")
    try:
        segments: list[Segment] = (await aload_vad())(path)
    except errors.AudioError as error:
        print(error, snapshot, file, manifest)
    else:
        print(segments)
