"""Decoder processes die, hang, wear out and are cancelled, and the next file is decoded.

A start takes 0.7 CPU seconds, so tests share a lane and a pool, whose loop runs during each test.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from sound_bytes import silent_flac, wav

from fonoteka.service.api_errors import ApiError
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.decode_messages import DecodeRequest
from fonoteka.service.uploads.decoder_lane import DecoderLane
from fonoteka.service.uploads.decoder_pool import DecoderPool
from fonoteka.service.uploads.decoder_process import DecoderDiedError, DecoderProcess

LIMITS = UploadLimits(audio_s=9000)
WAITING = 2


@asynccontextmanager
async def lane_of(folder, limits=LIMITS):
    lane = DecoderLane(lambda: DecoderProcess.begin(folder, limits), 60, WAITING, 1000)
    await lane.start()
    try:
        yield lane
    finally:
        await lane.stop()


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as shared:
        yield shared


@pytest.fixture(scope="module")
def lane(runner, tmp_path_factory):
    opened = lane_of(tmp_path_factory.mktemp("lane"))
    yield runner.run(opened.__aenter__())
    runner.run(opened.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def pool(runner, tmp_path_factory):
    started = DecoderPool(tmp_path_factory.mktemp("pool"), LIMITS, 4)
    runner.run(started.start())
    yield started
    runner.run(started.stop())


def requested(folder, data=None, name="clip"):
    path = folder / name
    path.write_bytes(wav() if data is None else data)
    return DecodeRequest(path, folder / f"{name}.samples")


async def samples_of(lane, request):
    reply = await lane.decode(request)
    assert request.target.stat().st_size == 4 * reply.samples
    request.target.unlink()
    return reply.samples


async def cancelled(task):
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_process_has_limits_and_a_low_priority(runner, lane, tmp_path):
    runner.run(samples_of(lane, requested(tmp_path)))
    process = psutil.Process(lane.pids[0])
    core, space, files, cpu = (
        process.rlimit(getattr(psutil, f"RLIMIT_{kind}")) for kind in ("CORE", "AS", "FSIZE", "CPU")
    )
    assert core == (0, 0)
    assert 0 < space[0] - process.memory_info().vms <= LIMITS.decode_memory_mib << 20
    assert files[0] < 4 * 16_000 * (LIMITS.audio_s + 120)
    assert LIMITS.decode_s <= cpu[0] < LIMITS.decode_s + 60
    assert process.nice() == min(19, os.nice(0) + 5)


def test_a_process_that_is_killed_is_replaced(runner, lane, tmp_path):
    async def killed():
        (before,) = lane.pids
        os.kill(before, signal.SIGKILL)
        with pytest.raises(DecoderDiedError, match="replaced"):
            await lane.decode(requested(tmp_path))
        assert not requested(tmp_path).target.exists()
        assert await samples_of(lane, requested(tmp_path)) == 8000
        assert lane.pids != [before]

    runner.run(killed())


def test_a_process_that_hangs_is_killed(runner, lane, tmp_path, monkeypatch):
    monkeypatch.setattr(lane, "_longest_s", 0.2)
    process = psutil.Process(lane.pids[0])
    process.suspend()
    with pytest.raises(DecoderDiedError, match="replaced"):
        runner.run(lane.decode(requested(tmp_path)))
    assert not process.is_running()


def test_a_cancelled_file_stops_being_decoded_and_leaves_nothing(runner, lane, tmp_path):
    request = requested(tmp_path, silent_flac(6000))

    async def cancelling():
        await samples_of(lane, requested(tmp_path, name="first"))
        process = psutil.Process(lane.pids[0])
        task = asyncio.create_task(lane.decode(request))
        while not request.target.exists():
            await asyncio.sleep(0.001)
        await cancelled(task)
        assert await samples_of(lane, requested(tmp_path, name="next")) == 8000
        assert not process.is_running()
        assert not request.target.exists()

    runner.run(cancelling())


def test_a_short_file_that_is_cancelled_does_not_cost_a_process(runner, lane, tmp_path):
    request = requested(tmp_path)

    async def cancelling():
        pids = lane.pids
        task = asyncio.create_task(lane.decode(request))
        await asyncio.sleep(0)  # the file is handed over
        await cancelled(task)
        assert await samples_of(lane, requested(tmp_path, name="next")) == 8000
        assert lane.pids == pids
        assert not request.target.exists()

    runner.run(cancelling())


def test_a_process_is_replaced_after_its_share_of_files(runner, lane, tmp_path, monkeypatch):
    async def worn():
        await samples_of(lane, requested(tmp_path))
        (before,) = lane.pids
        monkeypatch.setattr(lane, "_files", 1)
        while lane.pids == [before]:
            await samples_of(lane, requested(tmp_path))
        assert not psutil.pid_exists(before)

    runner.run(worn())


def test_a_full_queue_refuses_and_a_file_that_waits_can_be_cancelled(runner, lane, tmp_path):
    async def filled():
        await samples_of(lane, requested(tmp_path))
        psutil.Process(lane.pids[0]).suspend()
        tasks = []
        for name in ("a", "b", "c"):
            tasks.append(asyncio.create_task(lane.decode(requested(tmp_path, name=name))))
            await asyncio.sleep(0.01)
        with pytest.raises(ApiError, match="2 recordings wait") as raised:
            await lane.decode(requested(tmp_path))
        await cancelled(tasks[1])
        psutil.Process(lane.pids[0]).resume()
        assert [(await tasks[n]).samples for n in (0, 2)] == [8000, 8000]
        return raised.value

    error = runner.run(filled())
    assert (error.status, error.headers["Retry-After"]) == (429, "2")
    assert not (tmp_path / "b.samples").exists()


def test_a_process_that_cannot_start_is_a_503_until_it_can(runner, lane, tmp_path, monkeypatch):
    async def fail():
        raise DecoderDiedError("no such program")

    async def broken():
        await samples_of(lane, requested(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(lane, "_begin", fail)
            os.kill(lane.pids[0], signal.SIGKILL)
            with pytest.raises(DecoderDiedError, match="replaced"):
                await lane.decode(requested(tmp_path))
            with pytest.raises(ApiError, match="no such program"):
                await lane.decode(requested(tmp_path))
        assert await samples_of(lane, requested(tmp_path)) == 8000

    runner.run(broken())


class HangingDecoder:
    """A process that never replies."""

    pid, files, ended = 1, 0, False

    async def decode(self, request):
        await asyncio.Event().wait()

    async def end(self):
        self.ended = True


def test_files_that_wait_are_answered_when_the_lane_stops(runner, tmp_path):
    decoder = HangingDecoder()

    async def begin():
        return decoder

    async def stopped():
        lane = DecoderLane(begin, 60, 3, 1000)
        await lane.start()
        tasks = [asyncio.create_task(lane.decode(requested(tmp_path))) for _ in range(3)]
        await asyncio.sleep(0.01)
        await lane.stop()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [error.status for error in runner.run(stopped())] == [503, 503, 503]
    assert decoder.ended


def test_memory_beyond_the_limit_is_refused_and_the_process_lives(runner, tmp_path):
    async def greedy():
        async with lane_of(tmp_path, UploadLimits(decode_memory_mib=1)) as small:
            pids = small.pids
            reply = await small.decode(requested(tmp_path, wav(60, 48_000, 2)))
            assert small.pids == pids
            return reply

    reply = runner.run(greedy())
    assert (reply.status, reply.code) == (413, "needs_memory")


def test_a_short_file_does_not_wait_for_a_long_one(runner, pool, tmp_path):
    long, short = requested(tmp_path, wav(300, 44_100), "long"), requested(tmp_path)

    async def both():
        first = asyncio.create_task(pool.decode(long.path, long.target))
        await asyncio.sleep(0)
        assert await pool.decode(short.path, short.target) == 8000
        assert not first.done()
        return await first

    assert runner.run(both()) == 300 * 16_000


def test_a_file_at_which_every_process_dies_is_refused_and_the_pool_recovers(
    runner, pool, tmp_path
):
    request = requested(tmp_path)

    async def dying():
        for pid in pool.pids:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(ApiError, match="ends its decoder") as raised:
            await pool.decode(request.path, request.target)
        assert not request.target.exists()
        assert await pool.decode(request.path, request.target) == 8000
        return raised.value.status

    assert runner.run(dying()) == 400
