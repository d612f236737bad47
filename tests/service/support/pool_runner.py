"""Run a pool of workers in tests, and jobs of a batch worker without a process."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import to_mono_16k
from fonoteka.g2p.espeak import speak
from fonoteka.service.interfaces import JobError
from fonoteka.service.settings import WorkLimits
from fonoteka.service.work.compute.turns import QUANTUM_S, JobThread
from fonoteka.service.work.pool import WorkerPool

LONGEST_S = 120  # a test that waits longer hangs


class PoolRunner:
    """A pool in an event loop that runs while a test waits for it."""

    def __init__(self, limits):
        self.runner, self.pool = asyncio.Runner(), WorkerPool(limits)

    def __call__(self, work):
        return self.runner.run(asyncio.wait_for(work, LONGEST_S))

    def load(self, *models):
        async def load_all():
            for model in models:
                await self.pool.load(model)

        self(load_all())

    def done(self, job):
        """Return the events of a job."""

        async def submit():
            return await collected(self.pool.submit(job).events())

        return self(submit())

    def failure(self, job):
        """Return the error of a job."""
        try:
            events = self.done(job)
        except JobError as error:
            return error
        raise AssertionError(f"the job succeeded: {events}")


@contextmanager
def running(**limits):
    """Start a pool, and stop it after the block."""
    limits = {"batch_workers": 1, "live_workers": 1} | limits
    run = PoolRunner(WorkLimits(**limits))
    with run.runner:
        run(run.pool.start())
        try:
            yield run
        finally:
            run(run.pool.stop(0))


async def collected(events):
    return [event async for event in events]


async def until(is_so):
    """Wait until a condition holds that other processes change."""
    while not is_so():
        await asyncio.sleep(0.01)


def in_turns(work, quantum_s=QUANTUM_S):
    """Run a job alone; return its segments, its result and the number of its turns."""
    thread, segments, turns = JobThread(work, "test", quantum_s), [], 0
    while True:
        turn = thread.resume()
        turns += 1
        segments += turn.segments
        if turn.error is not None:
            raise turn.error
        if turn.result is not None:
            return segments, turn.result, turns


def speech(text="dobar dan", peak=0.2, language="sr"):
    """Return speech of espeak-ng at 16 kHz, with half a second of silence before and after it."""
    spoken = speak(text, language, "f2")
    signal = to_mono_16k(spoken.samples.astype(np.float32), spoken.sample_rate_hz)
    return np.pad(peak * signal / np.abs(signal).max(), 8_000).astype(np.float32)


def silence_file(path: Path, seconds: int) -> Path:
    """Write a file of digital silence that takes no space."""
    with path.open("wb") as file:
        file.truncate(seconds * 16_000 * 4)
    return path
