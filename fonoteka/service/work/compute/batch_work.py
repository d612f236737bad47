"""What a batch worker does: jobs on recordings, in turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.service.interfaces import AlignJob, Job, PhonesJob, WordsJob
from fonoteka.service.work.compute.align_job import align
from fonoteka.service.work.compute.loaded_models import LoadedModels
from fonoteka.service.work.compute.phones_job import recognise_phones
from fonoteka.service.work.compute.round_robin import RoundRobin, failure
from fonoteka.service.work.compute.sample_file import SAMPLE_BYTES, SampleFile
from fonoteka.service.work.compute.turns import JobResult, JobThread, Turns
from fonoteka.service.work.compute.words_job import recognise_words
from fonoteka.service.work.messages import Cancel, Ended, FromWorker, StartJob, ToWorker

LARGE_S = 300.0
"""Longer recordings are aligned one after the other in a worker, because an hour takes 1.4 GB."""


class BatchWork:
    """The jobs of a batch worker."""

    def __init__(self, models: LoadedModels) -> None:
        self._models, self._jobs = models, RoundRobin()
        self._large: deque[StartJob] = deque()  # that are done one after the other; the first runs

    @property
    def waits(self) -> bool:
        """Whether nothing can be done until a message comes."""
        return not self._jobs

    def take(self, message: ToWorker) -> Iterator[FromWorker]:
        """Take a message, and yield the answers."""
        if isinstance(message, StartJob):
            yield from self._admit(message)
        elif isinstance(message, Cancel) and self._drop(message.key):
            yield Ended(message.key, None)
            yield from self._after(message.key)

    def step(self) -> Iterator[FromWorker]:
        """Run a turn, and yield what it computed."""
        for message in self._jobs.turn():
            yield message
            if isinstance(message, Ended):
                yield from self._after(message.key)

    def _drop(self, key: int) -> bool:
        """Drop a job, and return whether it was there, running or waiting."""
        return self._jobs.remove(key) or any(order.key == key for order in self._large)

    def _admit(self, order: StartJob) -> Iterator[FromWorker]:
        if is_large(order.job):
            self._large.append(order)
            if len(self._large) > 1:
                return
        yield from self._begin(order)

    def _begin(self, order: StartJob) -> Iterator[FromWorker]:
        try:
            audio = SampleFile(order.job.audio)
            work = work_of(order.job, audio, self._models)
        except Exception as error:
            yield Ended(order.key, *failure(error))
            yield from self._after(order.key)
            return
        thread = JobThread(work, name=order.job.request_id)
        self._jobs.add(order.key, thread, audio.seconds, order.admitted_s)

    def _after(self, key: int) -> Iterator[FromWorker]:
        """Begin the next large job, if the job of this key was the large one that ran."""
        ran = bool(self._large) and self._large[0].key == key
        self._large = deque(order for order in self._large if order.key != key)
        if ran and self._large:
            yield from self._begin(self._large[0])


def is_large(job: Job) -> bool:
    """Return whether a job needs so much memory that it is done without others of its size."""
    if not isinstance(job, AlignJob) or not job.audio.is_file():
        return False
    return job.audio.stat().st_size > LARGE_S * SAMPLE_BYTES * SAMPLE_RATE_HZ


def work_of(job: Job, audio: SampleFile, models: LoadedModels) -> Callable[[Turns], JobResult]:
    """Return the function that does a job."""
    if isinstance(job, WordsJob):
        words = models.words(job.model)
        aligner = None if job.aligner is None else models.phones(job.aligner)
        return lambda turns: recognise_words(job, audio, words, aligner, turns)
    phones = models.phones(job.model)
    if isinstance(job, AlignJob):
        return lambda turns: align(job, audio, phones, turns)
    assert isinstance(job, PhonesJob), job
    return lambda turns: recognise_phones(audio, phones, turns)
