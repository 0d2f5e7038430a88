"""The bytes of one file, in pieces of whatever size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from mirrorhub import Endpoint
from mirrorhub.chain import Chain
from mirrorhub.chain.verdicts import Verdict, verdict
from mirrorhub.config import Patience
from mirrorhub.faults import Failure, WrongDigest
from mirrorhub.models import FileEntry
from mirrorhub.partials import PartialPool
from mirrorhub.progress import FileProgress
from mirrorhub.spans import PIECE, Span
from mirrorhub.transfer.intake import Intake
from mirrorhub.transfer.piece import Nothing

P = ParamSpec("P")
T = TypeVar("T")
DATA = bytes(range(256)) * 8192
ENDPOINT = Endpoint("https://hub.test")


@dataclass
class Part:
    """A body that comes at once."""

    span: Span
    host: str = "hub.test"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield DATA[self.span.start : self.span.end]

    async def aclose(self) -> None: ...


async def at_once(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do it here and now."""
    return work(*args, **kwargs)


@pytest.mark.parametrize("length", [PIECE // 4, PIECE // 2, PIECE, 4 * PIECE])
def test_one_piece_after_the_other(length: int, tmp_path: Path) -> None:
    """A large file is whole when its pieces have come one by one, each before the next was asked for."""
    entry = FileEntry("model.bin", len(DATA), sha256(DATA).hexdigest())
    pool = PartialPool(tmp_path)
    pool.prepare()

    async def run() -> Path:
        intake = Intake(Chain([ENDPOINT], Patience(), 60), pool, entry, FileProgress(None, []), at_once, at_once)
        assert await intake.begin() is None
        while (piece := intake.pieces.next(length)) is not None:
            await intake.take(piece, ENDPOINT, Part(Span(piece.start, piece.end)))
        assert not intake.pieces.lack_bytes
        return await intake.settle()

    assert asyncio.run(run()).read_bytes() == DATA


@pytest.mark.parametrize("size", [5000, len(DATA)], ids=["held in memory", "on disk"])
@pytest.mark.parametrize("step", range(1, 6))
def test_told_to_go_on_elsewhere_while_it_settles(size: int, step: int, tmp_path: Path) -> None:
    """A file whose bytes are all there is settled once, and whole, whenever it is told to go on elsewhere."""
    data = DATA[:size]
    pool = PartialPool(tmp_path)
    pool.prepare()

    async def run() -> Path:
        steps, settling = 0, None
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal steps
            done = work(*args, **kwargs)
            steps += settling is not None
            if steps == step:
                reached.set()
                await go_on.wait()
            return done

        entry = FileEntry("model.bin", size, sha256(data).hexdigest())
        intake = Intake(Chain([ENDPOINT], Patience(), 60), pool, entry, FileProgress(None, []), slowly, at_once)
        await intake.begin()
        await intake.take(intake.pieces.as_one(), ENDPOINT, Part(Span(0, size)))
        settling = asyncio.ensure_future(intake.settle())
        await asyncio.wait([settling, asyncio.ensure_future(reached.wait())], return_when=asyncio.FIRST_COMPLETED)
        settling.cancel()
        go_on.set()
        await asyncio.wait([settling])
        return await intake.settle()

    assert asyncio.run(run()).read_bytes() == data


def test_what_seemed_to_be_there_was_wrong(tmp_path: Path) -> None:
    """Whoever was asked for nothing, because wrong bytes were there, is asked again, and not given up."""
    entry = FileEntry("a.txt", 4, sha256(b"good").hexdigest())
    pool = PartialPool(tmp_path)
    pool.prepare()

    async def run() -> Failure:
        intake = Intake(Chain([ENDPOINT], Patience(), 60), pool, entry, FileProgress(None, []), at_once, at_once)
        await intake.begin()
        piece = intake.pieces.as_one()
        await intake.take(piece, ENDPOINT, Part(Span(0, 4)))
        assert piece.is_there
        with pytest.raises(WrongDigest):
            await intake.settle()
        with pytest.raises(Failure) as caught:
            await intake.take(piece, Endpoint("https://other.test"), Nothing(Span(4, 4)))
        return caught.value

    assert verdict(asyncio.run(run()).fault, last_word=False) is Verdict.AGAIN
