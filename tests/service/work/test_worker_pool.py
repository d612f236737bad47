"""Jobs and streams share processes: queues are bounded, deadlines hold, nothing is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal

import numpy as np
import pytest
from pool_runner import collected, running, silence_file, speech, until
from service_packages import (
    TEXTS,
    phone_package,
    save_samples,
    stream_package,
    version_of,
    words_package,
    written_phones,
)

from fonoteka.service.interfaces import (
    AlignJob,
    BusyError,
    DeadlineError,
    Finished,
    ModelKind,
    PhonesJob,
    StreamClosed,
    StreamRequest,
    UnanswerableError,
    UnavailableError,
    WordsJob,
)

TEXT = "d o b a r d a n"
RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def phones(folder):
    return phone_package(folder / "toy")


@pytest.fixture(scope="module")
def slow(folder):
    """A phone recogniser that takes some 0.3 s per window of 30 s."""
    return phone_package(folder / "slow", effort=5)


@pytest.fixture(scope="module")
def stream(folder):
    return stream_package(folder / "toy_stream")


@pytest.fixture(scope="module")
def clip(folder):
    return save_samples(folder / "clip.f32", written_phones(TEXT))


@pytest.fixture(scope="module")
def hour(folder):
    return silence_file(folder / "hour.f32", 3600)


@pytest.fixture(scope="module")
def run(phones, slow, stream):
    with running(jobs=3, streams=2, stream_behind_s=5) as run:
        run.load(phones, slow, stream)
        yield run


@pytest.fixture
def quiet(run):
    """A pool that has nothing to do, before and after a test."""
    yield run
    run(until(lambda: all(worker.jobs == worker.streams == 0 for worker in run.pool.state())))


def test_a_job_is_answered_by_segments_and_their_cost(quiet, clip, phones):
    segment, finished = quiet.done(PhonesJob("r", clip, phones))
    assert segment.text == TEXT
    assert isinstance(finished, Finished)
    assert finished.usage.audio_s == pytest.approx(0.96)
    assert 0 <= finished.usage.queued_s < 5
    assert 0 < finished.usage.compute_s < 5


def test_words_and_alignment_are_jobs_too(quiet, folder, phones, clip):
    words = words_package(folder / "toy_whisper")
    quiet.load(words)
    audio = save_samples(folder / "speech.f32", speech())
    segment, finished = quiet.done(WordsJob("r", audio, words, aligner=phones))
    assert segment.text == TEXTS[0] == " ".join(unit.text for unit in segment.units)
    assert finished.language == "sr"
    segment, _ = quiet.done(AlignJob("r", clip, phones, text="dobar dan", language="sr"))
    assert [unit.text for unit in segment.units] == ["dobar", "dan"]
    quiet(quiet.pool.unload(words))


def test_a_mistake_of_the_user_is_unanswerable(quiet, clip, phones):
    error = quiet.failure(AlignJob("r", clip, phones, text="!?", language="sr"))
    assert isinstance(error, UnanswerableError)
    assert "no word in the text" in str(error)


def test_a_fault_of_ours_is_logged_with_its_request(quiet, folder, phones, caplog):
    audio = save_samples(folder / "removed.f32", written_phones(TEXT))

    async def removed():
        ticket = quiet.pool.submit(PhonesJob("request-7", audio, phones))
        audio.unlink()
        with pytest.raises(UnavailableError, match="a fault of the service: FileNotFoundError"):
            await collected(ticket.events())

    quiet(removed())
    (record,) = caplog.records
    assert "batch-0: request request-7: Traceback" in record.getMessage()
    assert "removed.f32" in record.getMessage()


def test_a_short_job_is_over_while_a_long_one_is_computed(quiet, clip, hour, phones, slow):
    async def both():
        long = quiet.pool.submit(PhonesJob("long", hour, slow))
        await until(lambda: long.has_begun)
        short = quiet.pool.submit(PhonesJob("short", clip, phones))
        await collected(short.events())
        assert not long.is_over
        assert long.done_s < 600  # a few windows
        long.cancel()

    quiet(both())


def test_a_cancelled_job_ends_and_its_worker_continues(quiet, clip, hour, phones, slow):
    async def cancelled():
        ticket = quiet.pool.submit(PhonesJob("r", hour, slow))
        events = asyncio.ensure_future(collected(ticket.events()))
        await until(lambda: ticket.has_begun)
        ticket.cancel()
        ticket.cancel()
        assert await events == []
        (worker,) = [worker for worker in quiet.pool._all if worker.kind == "batch"]
        await until(lambda: not worker.zombies)

    before = quiet.pool.state()[0]
    quiet(cancelled())
    assert len(quiet.done(PhonesJob("r", clip, phones))) == 2
    assert quiet.pool.state()[0].process == before.process


def test_a_full_queue_refuses_with_the_time_after_which_to_try_again(quiet, hour, clip, slow):
    async def fill():
        tickets = [quiet.pool.submit(PhonesJob("r", hour, slow)) for _ in range(3)]
        assert quiet.pool.queued() >= 2
        with pytest.raises(BusyError, match=r"3 jobs wait; try again in \d+ s") as caught:
            quiet.pool.submit(PhonesJob("r", clip, slow))
        assert 1 <= caught.value.retry_after_s <= 60
        tickets[0].cancel()
        tickets[0] = quiet.pool.submit(PhonesJob("r", clip, slow))
        for ticket in tickets:
            ticket.cancel()
        assert quiet.pool.queued() == 0

    quiet(fill())


def test_a_stream_gives_the_phones_of_its_samples(quiet, stream):
    async def spoken():
        live = quiet.pool.open_stream(StreamRequest("r", stream))
        for part in np.array_split(written_phones(TEXT), 9):
            live.feed(part)
        live.finish()
        return await collected(live.updates())

    *updates, closed = quiet(spoken())
    assert " ".join(phone.symbol for u in updates for phone in u.committed) == TEXT
    assert isinstance(closed, StreamClosed)
    assert closed.usage.audio_s == pytest.approx(0.96)


def test_a_phone_recogniser_is_streamed_with_a_policy(quiet, phones):
    async def spoken():
        live = quiet.pool.open_stream(StreamRequest("r", phones, policy="hold-4"))
        live.feed(written_phones(TEXT))
        live.finish()
        return await collected(live.updates())

    *updates, _ = quiet(spoken())
    assert " ".join(phone.symbol for u in updates for phone in u.committed) == TEXT


def test_a_policy_that_does_not_fit_is_unanswerable(quiet, stream):
    async def spoken():
        live = quiet.pool.open_stream(StreamRequest("r", stream, policy="hold-4"))
        with pytest.raises(UnanswerableError, match="every final frame of toy_stream is exact"):
            await collected(live.updates())

    quiet(spoken())


def test_a_stream_that_is_too_far_behind_is_refused_more_samples(quiet, stream):
    async def flood():
        live = quiet.pool.open_stream(StreamRequest("r", stream))
        live.feed(np.zeros(5 * RATE, np.float32))
        with pytest.raises(BusyError, match=r"5\.[0-9] s of the stream wait .*, more than 5 s"):
            live.feed(np.zeros(8_000, np.float32))
        await until(lambda: not live.is_behind)
        live.feed(np.zeros(8_000, np.float32))
        live.finish()
        assert isinstance((await collected(live.updates()))[-1], StreamClosed)

    quiet(flood())


def test_a_stream_whose_updates_are_not_read_is_ended(quiet, stream):
    async def unread():
        live = quiet.pool.open_stream(StreamRequest("r", stream))
        while not live.is_over:
            live.feed(np.zeros(RATE, np.float32))
            await until(lambda: live.is_over or not live.is_behind)
        with pytest.raises(UnavailableError, match="no update was read for 5 s of the stream"):
            await collected(live.updates())

    quiet(unread())


def test_there_are_at_most_as_many_streams_as_the_limit(quiet, stream):
    async def open_many():
        request = StreamRequest("r", stream)
        first, second = quiet.pool.open_stream(request), quiet.pool.open_stream(request)
        with pytest.raises(BusyError, match="2 streams are open; try again later"):
            quiet.pool.open_stream(request)
        first.cancel()
        assert await collected(first.updates()) == []
        third = quiet.pool.open_stream(request)
        for live in (second, third):
            live.cancel()

    quiet(open_many())


def test_a_cancelled_stream_takes_no_more_samples(quiet, stream):
    async def cancelled():
        live = quiet.pool.open_stream(StreamRequest("r", stream))
        live.cancel()
        live.feed(written_phones("a"))
        live.finish()
        assert await collected(live.updates()) == []

    quiet(cancelled())


def test_the_state_names_each_worker(quiet):
    batch, live = quiet.pool.state()
    assert (batch.name, live.name) == ("batch-0", "live-0")
    assert batch.process != live.process
    assert batch.memory_mib > 10
    assert (batch.jobs, batch.streams, batch.restarts) == (0, 0, 0)


def test_batch_workers_run_later_than_live_workers(quiet):
    batch, live = (worker.process for worker in quiet.pool.state())
    later = 10 + os.getpriority(os.PRIO_PROCESS, live)
    assert os.getpriority(os.PRIO_PROCESS, batch) == min(later, 19)  # the system's last priority


def test_workers_ignore_the_signals_of_a_terminal(quiet, clip, phones):
    for worker in quiet.pool.state():
        os.kill(worker.process, signal.SIGINT)
        os.kill(worker.process, signal.SIGTERM)
    assert len(quiet.done(PhonesJob("r", clip, phones))) == 2
    assert [worker.restarts for worker in quiet.pool.state()] == [0, 0]


def test_versions_are_loaded_side_by_side_and_freed_after_their_last_job(quiet, folder, clip):
    old = phone_package(folder / "swapped")
    quiet.load(old)
    new = phone_package(old.folder, effort=1, sure=0.5)
    quiet.load(new)

    async def swap():
        tickets = [quiet.pool.submit(PhonesJob("r", clip, model)) for model in (old, new)]
        freed = asyncio.ensure_future(quiet.pool.unload(old))
        results = [await collected(ticket.events()) for ticket in tickets]
        await freed
        return [segment.units[0].confidence for segment, _ in results]

    assert quiet(swap()) == [0.9, 0.5]
    error = quiet.failure(PhonesJob("r", clip, old))
    assert isinstance(error, UnavailableError)
    assert f"is of version {new.version}, expected {old.version}" in str(error)
    quiet(quiet.pool.unload(new))


def test_a_damaged_model_is_refused_and_the_older_version_stays(quiet, folder, clip):
    good = phone_package(folder / "damaged")
    quiet.load(good)
    path = good.folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-9])
    bad = dataclasses.replace(version_of(good.folder, ModelKind.PHONES))
    with pytest.raises(UnavailableError, match=r"model\.onnx: its SHA-256 is"):
        quiet.load(dataclasses.replace(bad, name="again"))
    assert len(quiet.done(PhonesJob("r", clip, good))) == 2
    quiet(quiet.pool.unload(good))


def test_a_job_ends_at_its_deadline(hour, clip, slow):
    with running(job_deadline_s=1, job_deadline_rtf=0) as run:
        run.load(slow)
        error = run.failure(PhonesJob("r", hour, slow))
        assert isinstance(error, DeadlineError)
        assert str(error) == "the recording was not done within 1 s; send it in parts"
        assert len(run.done(PhonesJob("r", clip, slow))) == 2
        assert run.pool.state()[0].restarts == 0


def test_jobs_go_to_the_worker_with_the_least_sound_left(hour, clip, slow):
    async def place():
        pool = run.pool
        pool.submit(PhonesJob("r", hour, slow))
        for _ in range(3):
            pool.submit(PhonesJob("r", clip, slow))
        return [worker.jobs for worker in pool.state()]

    with running(batch_workers=2, live_workers=0) as run:
        run.load(slow)
        assert run(place()) == [1, 3]


def test_a_stopping_service_finishes_streams_and_jobs(hour, clip, slow, stream):
    async def stopped():
        pool = run.pool
        live = pool.open_stream(StreamRequest("r", stream))
        live.feed(written_phones(TEXT))
        short, long = (pool.submit(PhonesJob("r", audio, slow)) for audio in (clip, hour))
        stopping = asyncio.ensure_future(pool.stop(1))
        await asyncio.sleep(0)  # lets it begin
        for refused in (
            lambda: pool.submit(PhonesJob("r", clip, slow)),
            lambda: pool.open_stream(StreamRequest("r", stream)),
        ):
            with pytest.raises(UnavailableError, match="the service stops; send the request"):
                refused()
        *updates, closed = await collected(live.updates())
        assert " ".join(phone.symbol for u in updates for phone in u.committed) == TEXT
        assert isinstance(closed, StreamClosed)
        assert len(await collected(short.events())) == 2
        with pytest.raises(UnavailableError, match="the service stops"):
            await collected(long.events())
        await stopping

    with running() as run:
        run.load(slow, stream)
        run(stopped())
        assert [worker.process for worker in run.pool.state()] == [None, None]
