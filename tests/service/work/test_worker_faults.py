"""Workers that are killed, hang or lose their models: the service says why, and recovers."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import psutil
import pytest
from pool_runner import collected, running, silence_file, until
from service_packages import phone_package, save_samples, stream_package, written_phones

from fonoteka.service.interfaces import PhonesJob, StreamRequest, UnavailableError
from fonoteka.service.work import supervisor, worker

TEXT = "d o b a r d a n"


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    return phone_package(tmp_path_factory.mktemp("models") / "slow", effort=5)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    return stream_package(tmp_path_factory.mktemp("models") / "toy_stream")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audio")


@pytest.fixture(scope="module")
def clip(folder):
    return save_samples(folder / "clip.f32", written_phones(TEXT))


@pytest.fixture(scope="module")
def minutes(folder):
    """A recording whose first segment comes with its last window."""
    path = silence_file(folder / "minutes.f32", 120)
    with path.open("ab") as file:
        file.write(written_phones(TEXT).astype("<f4").tobytes())
    return path


@pytest.fixture(scope="module")
def talk(folder):
    """A recording with a segment per window."""
    part = np.concatenate([written_phones(TEXT), np.zeros(20 * 16_000, np.float32)])
    return save_samples(folder / "talk.f32", np.tile(part, 60))


def kill(state, name=signal.SIGKILL):
    os.kill(state.process, name)


def test_a_job_without_a_segment_is_done_again_by_another_worker(minutes, slow, caplog):
    async def killed():
        ticket = run.pool.submit(PhonesJob("r", minutes, slow))
        await until(lambda: ticket.done_s > 0)
        (busy,) = [state for state in run.pool.state() if state.jobs]
        kill(busy)
        segment, finished = await collected(ticket.events())
        await until(lambda: sum(state.restarts for state in run.pool.state()) == 1)
        return segment, finished

    caplog.set_level(logging.WARNING)
    with running(batch_workers=2, live_workers=0) as run:
        run.load(slow)
        segment, _ = run(killed())
    assert segment.text == TEXT
    (record,) = caplog.records
    assert "ended (SIGKILL)" in record.getMessage()


def test_a_job_is_done_again_by_the_only_worker_after_its_restart(minutes, slow, clip):
    async def killed():
        ticket = run.pool.submit(PhonesJob("r", minutes, slow))
        await until(lambda: ticket.done_s > 0)
        kill(run.pool.state()[0])
        return await collected(ticket.events())

    with running(live_workers=0) as run:
        run.load(slow)
        assert len(run(killed())) == 2
        assert run.pool.state()[0].restarts == 1
        assert len(run.done(PhonesJob("r", clip, slow))) == 2


def test_a_job_that_ends_two_workers_fails(minutes, slow):
    async def killed():
        ticket = run.pool.submit(PhonesJob("r", minutes, slow))
        for _ in range(2):
            ticket.done_s = 0
            await until(lambda: ticket.done_s > 0)
            kill(run.pool.state()[0])
        with pytest.raises(UnavailableError, match=r"the worker has ended again \(SIGKILL\)"):
            await collected(ticket.events())

    with running(live_workers=0) as run:
        run.load(slow)
        run(killed())


def test_a_job_that_has_sent_a_segment_is_not_done_again(talk, slow):
    async def killed():
        ticket = run.pool.submit(PhonesJob("r", talk, slow))
        events = ticket.events()
        assert (await anext(events)).text == TEXT
        kill(run.pool.state()[0])
        with pytest.raises(UnavailableError, match=r"the worker has ended meanwhile \(SIGKILL\)"):
            await collected(events)

    with running(live_workers=0) as run:
        run.load(slow)
        run(killed())


def test_the_streams_of_a_killed_worker_fail_and_new_ones_are_served(stream):
    async def killed():
        live = run.pool.open_stream(StreamRequest("r", stream))
        live.feed(written_phones(TEXT))
        await until(lambda: not live.is_behind)
        kill(run.pool.state()[0])
        with pytest.raises(UnavailableError, match=r"the worker has ended meanwhile \(SIGKILL\)"):
            await collected(live.updates())
        again = run.pool.open_stream(StreamRequest("r", stream))
        again.feed(written_phones(TEXT))
        again.finish()
        return await collected(again.updates())

    with running(batch_workers=0) as run:
        run.load(stream)
        *updates, _ = run(killed())
    assert " ".join(phone.symbol for u in updates for phone in u.committed) == TEXT


def test_a_worker_that_hangs_is_ended_and_its_job_is_done_again(tmp_path, clip, caplog):
    model = phone_package(tmp_path / "toy")
    with running(live_workers=0, job_deadline_s=3, job_deadline_rtf=100) as run:
        run.load(model)
        kill(run.pool.state()[0], signal.SIGSTOP)
        assert len(run.done(PhonesJob("r", clip, model))) == 2
        assert run.pool.state()[0].restarts == 1
    assert "was silent for 3.0 s in a turn, so it is ended" in caplog.text


def test_a_quiet_worker_is_not_ended(stream, slow):
    async def wait():
        live = run.pool.open_stream(StreamRequest("r", stream))
        await asyncio.sleep(1)
        live.cancel()

    with running(job_deadline_s=0.2) as run:
        run.load(slow, stream)
        run(wait())
        assert [state.restarts for state in run.pool.state()] == [0, 0]


def test_a_removed_model_fails_jobs_with_the_reason_until_it_is_back(tmp_path, clip, caplog):
    async def restarted():
        kill(run.pool.state()[0])
        await until(lambda: run.pool.state()[0].restarts == 1)

    with running(live_workers=0) as run:
        model = phone_package(tmp_path / "toy")
        run.load(model)
        shutil.move(model.folder, tmp_path / "away")
        assert len(run.done(PhonesJob("r", clip, model))) == 2  # it is loaded
        run(restarted())
        error = run.failure(PhonesJob("r", clip, model))
        assert isinstance(error, UnavailableError)
        assert "toy/package.json is missing; put the folder back, or reload" in str(error)
        assert "worker batch-0 works without model toy" in caplog.text
        shutil.move(tmp_path / "away", model.folder)
        assert len(run.done(PhonesJob("r", clip, model))) == 2


def test_a_worker_that_has_the_model_is_preferred(tmp_path, clip):
    async def restarted():
        kill(run.pool.state()[0])
        await until(lambda: run.pool.state()[0].restarts == 1 and run.pool.state()[0].process)

    with running(batch_workers=2, live_workers=0) as run:
        model = phone_package(tmp_path / "toy")
        run.load(model)
        shutil.rmtree(model.folder)
        run(restarted())
        for _ in range(3):
            assert len(run.done(PhonesJob("r", clip, model))) == 2


def test_a_worker_that_cannot_be_started_is_named(monkeypatch):
    monkeypatch.setattr(worker.sys, "executable", shutil.which("false"))
    with pytest.raises(UnavailableError, match="a worker cannot be started"), running():
        pass


def test_nothing_is_admitted_while_no_worker_can_be_restarted(monkeypatch, clip, slow):
    monkeypatch.setattr(supervisor, "FIRST_DELAY_S", 0.01)
    with running(live_workers=0) as run:
        run.load(slow)
        monkeypatch.setattr(worker.sys, "executable", shutil.which("false"))
        kill(run.pool.state()[0])
        run(until(lambda: run.pool._all[0].failures >= 3))
        error = run.failure(PhonesJob("r", clip, slow))
        assert str(error) == "no batch worker can be started; see the log of the service"
        monkeypatch.undo()
        run(until(lambda: run.pool.state()[0].process))
        assert len(run.done(PhonesJob("r", clip, slow))) == 2


def test_workers_end_with_a_service_that_is_killed():
    program = """
        import asyncio
        from fonoteka.service.settings import WorkLimits
        from fonoteka.service.work.pool import WorkerPool

        async def main():
            pool = WorkerPool(WorkLimits(batch_workers=1, live_workers=1))
            await pool.start()
            print(*(state.process for state in pool.state()), flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    ) as service:
        processes = [psutil.Process(int(number)) for number in service.stdout.readline().split()]
        assert len(processes) == 2
        service.kill()
    assert psutil.wait_procs(processes, timeout=10)[1] == []
