"""Jobs of a batch worker: large alignments are done one after the other, beside all others."""

from __future__ import annotations

import time

import pytest
from pool_runner import silence_file
from service_packages import phone_package, save_samples, written_phones

from fonoteka.service.interfaces import AlignJob, Finished, PhonesJob, UnanswerableError
from fonoteka.service.work.compute import align_job, batch_work
from fonoteka.service.work.compute.batch_work import BatchWork
from fonoteka.service.work.compute.loaded_models import LoadedModels
from fonoteka.service.work.messages import Began, Cancel, Ended, StartJob


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return phone_package(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture
def work(version):
    models = LoadedModels()
    models.load(version)
    return BatchWork(models)


@pytest.fixture
def clip(tmp_path):
    return save_samples(tmp_path / "clip.f32", written_phones("d a n"))


@pytest.fixture
def large(monkeypatch, clip, version):
    """An alignment that counts as large."""
    monkeypatch.setattr(batch_work, "LARGE_S", 0.1)
    return AlignJob("r", clip, version, text="dan", language="sr")


def start(work, *jobs):
    orders = [StartJob(key, job, time.monotonic()) for key, job in enumerate(jobs)]
    return [answer for order in orders for answer in work.take(order)]


def all_done(work):
    answers = []
    while not work.waits:
        answers += work.step()
    return answers


def begins_and_ends(answers):
    return [(type(a).__name__, a.key) for a in answers if isinstance(a, Began | Ended)]


def test_large_alignments_are_done_one_after_the_other(work, large, clip, version):
    start(work, large, large, PhonesJob("r", clip, version))
    order = begins_and_ends(all_done(work))
    assert order.index(("Ended", 0)) < order.index(("Began", 1)) < order.index(("Ended", 1))
    assert order.index(("Ended", 2)) < order.index(("Began", 1))


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_cancelled_large_alignment_leaves_its_place(cancelled, work, large):
    start(work, large, large, large)
    assert list(work.take(Cancel(cancelled))) == [Ended(cancelled, None)]
    ends = [answer for answer in all_done(work) if isinstance(answer, Ended)]
    assert {ended.key for ended in ends} == {0, 1, 2} - {cancelled}
    assert all(isinstance(ended.outcome, Finished) for ended in ends)


def test_a_large_alignment_whose_recording_is_gone_leaves_its_place(work, large, clip, tmp_path):
    other = save_samples(tmp_path / "other.f32", written_phones("d a n"))
    removed = AlignJob("r", other, large.model, text="dan", language="sr")
    start(work, large, removed, large)
    other.unlink()
    ends = {a.key: a.outcome for a in all_done(work) if isinstance(a, Ended)}
    assert isinstance(ends[2], Finished)
    assert "FileNotFoundError" in str(ends[1])


def test_a_recording_that_is_too_long_to_be_aligned_is_refused(work, version, tmp_path):
    audio = silence_file(tmp_path / "a.f32", round(align_job.LONGEST_S) + 1)
    start(work, AlignJob("r", audio, version, text="dan", language="sr"))
    *_, ended = all_done(work)
    assert isinstance(ended.outcome, UnanswerableError)
    assert "3601 s of sound; at most 3600 s are aligned at once" in str(ended.outcome)


def test_a_job_without_samples_is_unanswerable(work, version, tmp_path):
    empty = tmp_path / "empty.f32"
    empty.touch()
    (ended,) = start(work, PhonesJob("r", empty, version))
    assert isinstance(ended.outcome, UnanswerableError)
    assert work.waits


def test_a_cancelled_job_that_is_over_is_not_answered(work):
    assert list(work.take(Cancel(7))) == []
