"""Endpoints one beside the other: next to a silent one another is started, and whoever answers first is used."""

from __future__ import annotations

import asyncio
from typing import Generic

from mirrorhub.chain.beat import Beat
from mirrorhub.chain.errand import Answer, Errand, Result
from mirrorhub.faults import Fault
from mirrorhub.models import Endpoint
from mirrorhub.stopwatch import uninterrupted


async def race(errand: Errand[Answer, Result], waiting: list[Endpoint]) -> tuple[Endpoint, Answer] | None:
    """Start endpoints one beside the other until one answers; whoever fails leaves `waiting`.

    Raises:
        Hopeless: A failure was of a kind that nobody can mend.
    """
    if len(waiting) == 1:
        return await _ask_alone(errand, waiting)
    return await Race(errand, waiting).run()


async def _ask_alone(errand: Errand[Answer, Result], waiting: list[Endpoint]) -> tuple[Endpoint, Answer] | None:
    """Ask the only one that is left: nobody could be started beside it."""
    endpoint, beat = waiting[0], Beat(errand.chain.clock)
    try:
        answer = await _ask(errand, endpoint, beat)
    except Exception as error:
        waiting.remove(endpoint)
        errand.failed(endpoint, errand.read(endpoint, error), beat.started_at)
        return None
    errand.chain.answered(endpoint, beat)
    return endpoint, answer


async def _ask(errand: Errand[Answer, Result], endpoint: Endpoint, beat: Beat) -> Answer:
    """Ask for an answer, unless told to go on elsewhere."""
    chain = errand.chain
    errand.asked[endpoint] = beat
    try:
        async with chain.standing(endpoint).leavable(beat):
            return await errand.ask(endpoint, beat)
    finally:
        chain.logbook.asked(str(endpoint), beat.started_at, beat.connected_at)


class Race(Generic[Answer, Result]):
    """Several endpoints that are asked for the same, until one answers."""

    def __init__(self, errand: Errand[Answer, Result], waiting: list[Endpoint]) -> None:
        """Begin with nobody running.

        Args:
            errand: What is asked for.
            waiting: Who may be asked, in order; whoever fails is taken out.
        """
        self._errand = errand
        self._chain = errand.chain
        self._waiting = waiting
        self._runners: dict[asyncio.Task[Answer], tuple[Endpoint, Beat]] = {}

    async def run(self) -> tuple[Endpoint, Answer] | None:
        """Return who answered first, and its answer; None where nobody did.

        Raises:
            Hopeless: A failure was of a kind that nobody can mend.
        """
        first: tuple[Endpoint, Answer] | None = None
        try:
            first = await self._run_beside()
        finally:
            try:
                if self._runners:
                    # To its end, though the call be over meanwhile: what they bring all the same is let go of.
                    await uninterrupted(self._dismiss(won=first is not None))
            except BaseException:
                if first is not None:
                    await uninterrupted(self._errand.discard(first[1]))
                raise
        return first

    async def _run_beside(self) -> tuple[Endpoint, Answer] | None:
        unstarted = list(self._waiting)
        while unstarted or self._runners:
            if unstarted and all(self._patience_left(*runner) <= 0 for runner in self._runners.values()):
                self._note_silence()
                endpoint = unstarted.pop(0)
                if endpoint not in self._errand.order():
                    # Another walk has learnt meanwhile that it is not to be asked.
                    self._waiting.remove(endpoint)
                    continue
                self._start(endpoint)
            winner = await self._first_answer(wake=bool(unstarted))
            if winner is not None:
                endpoint, beat = self._runners.pop(winner)
                self._chain.answered(endpoint, beat)
                return endpoint, winner.result()
        return None

    def _start(self, endpoint: Endpoint) -> None:
        beat = Beat(self._chain.clock)
        task = asyncio.ensure_future(_ask(self._errand, endpoint, beat))
        self._runners[task] = (endpoint, beat)

    async def _first_answer(self, *, wake: bool) -> asyncio.Task[Answer] | None:
        """Wait for an answer, a failure, or (if somebody else could be started) for patience to end."""
        left = [self._patience_left(*runner) for runner in self._runners.values()] if wake else []
        timeout = max(0.001, max(left)) if left else None
        done, _ = await asyncio.wait(self._runners, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        # A dict keeps the order of starting: of two answers at once the preferred endpoint's is used.
        for task in [task for task in self._runners if task in done]:
            error = task.exception()
            if error is None:
                return task
            endpoint, beat = self._runners.pop(task)
            failure = self._errand.read(endpoint, error)
            self._waiting.remove(endpoint)
            self._errand.failed(endpoint, failure, beat.started_at)
        return None

    async def _dismiss(self, *, won: bool) -> None:
        """Cancel who is not needed any more, and let go of what they bring all the same."""
        for task, (endpoint, beat) in self._runners.items():
            task.cancel()
            if won:
                self._errand.asked.pop(endpoint, None)
            if won and self._patience_left(endpoint, beat) <= 0:
                why = "silent, another one was faster"
                self._chain.record(endpoint, self._errand.subject, why, Fault.READ_TIMEOUT, beat.started_at)
        for late in await asyncio.gather(*self._runners, return_exceptions=True):
            if not isinstance(late, BaseException):
                await self._errand.discard(late)

    def _patience_left(self, endpoint: Endpoint, beat: Beat) -> float:
        """Seconds until this runner counts as silent; below 0 once it does."""
        return self._chain.standing(endpoint).patience_left(beat, self._chain.patience, self._chain.clock())

    def _note_silence(self) -> None:
        for endpoint, beat in self._runners.values():
            self._chain.silent(endpoint, beat)
