"""Jobs of one worker have turns in a circle, and a turn can end in the middle of any function."""

from __future__ import annotations

import dataclasses
import threading
import time

import numpy as np
import pytest
from pool_runner import in_turns

from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import Segment, UnanswerableError, UnavailableError
from fonoteka.service.work.compute.round_robin import RoundRobin, failure
from fonoteka.service.work.compute.turns import JobResult, JobThread
from fonoteka.service.work.compute.words_job import PacedWhisper
from fonoteka.service.work.messages import Began, Ended, TurnDone

RESULT = JobResult("sr")


def counting(count, log=None, name=""):
    """Return a job that pauses `count` times."""

    def work(turns):
        for number in range(count):
            if log is not None:
                log.append(f"{name}{number}")
            turns.pause()
        return RESULT

    return work


class CostlyThread(JobThread):
    """A job whose turns end at each pause, and count as so many processor seconds."""

    def __init__(self, work, cost_s):
        super().__init__(work, "test", quantum_s=0)
        self.cost_s = cost_s

    def resume(self):
        return dataclasses.replace(super().resume(), compute_s=self.cost_s)


def circle(costs_s=None, first_s=1, **jobs):
    """Return a circle of jobs whose turns take their time, or as much as `costs_s` has."""
    ring = RoundRobin(quantum_s=1, first_s=first_s)
    for key, (name, work) in enumerate(jobs.items()):
        thread = CostlyThread(work, (costs_s or {}).get(name, 1))
        ring.add(key, thread, 1.0, time.monotonic())
    return ring


def messages(ring):
    return [message for message in iter(lambda: next_messages(ring), None) for message in message]


def next_messages(ring):
    return list(ring.turn()) if ring else None


def test_each_pause_ends_a_turn_that_has_lasted_long_enough():
    assert in_turns(counting(5), quantum_s=0)[1:] == (RESULT, 6)
    assert in_turns(counting(5), quantum_s=10)[1:] == (RESULT, 1)


def test_the_time_of_a_turn_begins_when_it_is_resumed():
    def work(turns):
        for _ in range(3):
            end = time.thread_time() + 0.05
            while time.thread_time() < end:
                pass
            turns.pause()
        return RESULT

    assert in_turns(work, quantum_s=0.04)[2] == 4
    assert in_turns(work, quantum_s=0.09)[2] == 2


def test_a_segment_is_passed_on_at_once():
    segments = [Segment("a", 0, 1), Segment("b", 1, 2)]

    def work(turns):
        for segment in segments:
            turns.emit(segment)
        return RESULT

    thread = JobThread(work, "test")
    turns = [thread.resume() for _ in range(3)]
    assert [turn.segments for turn in turns] == [(segments[0],), (segments[1],), ()]
    assert [turn.done_s for turn in turns] == [1, 2, 2]
    assert [turn.is_last for turn in turns] == [False, False, True]


def test_jobs_have_turns_in_a_circle():
    log = []
    ring = circle(a=counting(4, log, "a"), b=counting(2, log, "b"), c=counting(3, log, "c"))
    messages(ring)
    assert log == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "c2", "a3"]


def test_jobs_have_the_same_time_and_not_as_many_turns():
    log = []
    jobs = {name: counting(12, log, name) for name in "ab"}
    messages(circle({"a": 3, "b": 1}, **jobs))
    assert log[:8] == ["a0", "b0", "b1", "b2", "a1", "b3", "b4", "b5"]


def test_a_job_with_short_turns_has_several_in_a_round():
    log = []
    jobs = {name: counting(8, log, name) for name in "ab"}
    messages(circle({"a": 1, "b": 0.25}, **jobs))
    assert log[:10] == ["a0", "b0", "b1", "b2", "b3", "a1", "b4", "b5", "b6", "b7"]


def test_a_job_has_more_time_in_its_first_round():
    log = []
    jobs = {name: counting(9, log, name) for name in "ab"}
    messages(circle({"a": 1, "b": 1}, first_s=3, **jobs))
    assert log[:10] == ["a0", "a1", "a2", "b0", "b1", "b2", "a3", "b3", "a4", "b4"]


def test_a_job_alone_does_not_sit_out():
    log = []
    ring = circle({"a": 50}, a=counting(3, log, "a"))
    list(ring.turn())
    list(ring.turn())
    assert log == ["a0", "a1"]


def test_a_short_job_is_over_long_before_a_long_one():
    sent = messages(circle(long=counting(500), short=counting(1)))
    ends = {message.key: place for place, message in enumerate(sent) if isinstance(message, Ended)}
    assert ends[1] < 8
    assert ends[0] > 500


def test_the_messages_of_a_job_are_its_begin_its_turns_and_its_end():
    sent = messages(circle(a=counting(2)))
    assert [type(message) for message in sent] == [Began, TurnDone, TurnDone, Ended]
    usage = sent[-1].outcome.usage
    assert (usage.audio_s, usage.turns) == (1.0, 3)
    assert usage.queued_s >= 0
    assert usage.compute_s == 3


def test_a_removed_job_is_unwound():
    closed = threading.Event()

    def work(turns):
        try:
            while True:
                turns.pause()
        finally:
            closed.set()

    ring = circle(a=work)
    list(ring.turn())
    assert ring.remove(0)
    assert closed.is_set()
    assert not ring
    assert not ring.remove(0)


def test_a_job_that_has_no_turn_yet_can_be_removed():
    ring = circle(a=counting(1), b=counting(1))
    assert ring.remove(1)
    assert {message.key for message in messages(ring)} == {0}


def test_a_mistake_of_the_user_is_unanswerable_and_has_no_traceback():
    def work(turns):
        raise UserError("the language is unknown")

    (_, ended) = messages(circle(a=work))
    assert isinstance(ended.outcome, UnanswerableError)
    assert str(ended.outcome) == "the language is unknown"
    assert ended.fault == ""


def test_a_fault_of_ours_keeps_its_traceback_for_the_log():
    error, traceback = failure(ZeroDivisionError("division by zero"))
    assert isinstance(error, UnavailableError)
    assert "ZeroDivisionError" in str(error)
    assert "division by zero" not in str(error)
    assert "division by zero" in traceback


def test_a_job_that_fails_ends_and_the_others_continue():
    def work(turns):
        turns.pause()
        raise UserError("no")

    sent = messages(circle(a=work, b=counting(3)))
    outcomes = {message.key: message.outcome for message in sent if isinstance(message, Ended)}
    assert isinstance(outcomes[0], UnanswerableError)
    assert outcomes[1].language == "sr"


def test_a_function_that_does_not_pause_can_be_interrupted_at_its_calls():
    def square(number):
        return number * number

    def work(turns):
        before = sum(square(number) for number in range(50))
        with turns.pausing():
            assert sum(square(number) for number in range(50)) == before
        return RESULT

    assert in_turns(work, quantum_s=0)[2] > 50


def test_an_interrupted_function_is_unwound_when_its_job_is_removed():
    closed = threading.Event()

    def work(turns):
        try:
            with turns.pausing():
                while True:
                    str.upper(repr(closed.is_set()))
        finally:
            closed.set()

    ring = circle(a=work)
    list(ring.turn())
    assert ring.remove(0)
    assert closed.is_set()


class CountingWhisper:
    rules = None

    def start(self, signals, input_s):
        return lambda tokens: np.zeros((1, 3), np.float32)

    def text(self, tokens):
        return str(list(tokens))


def test_a_turn_can_end_between_two_tokens():
    def work(turns):
        whisper = PacedWhisper(CountingWhisper(), turns)
        step = whisper.start([], 1.0)
        for _ in range(7):
            step(np.zeros((1, 1), np.int64))
        assert whisper.text([1, 2]) == "[1, 2]"
        assert whisper.tokens == (1, 2)
        return RESULT

    assert in_turns(work, quantum_s=0)[2] == 8


def test_turns_of_many_jobs_do_not_mix_their_results():
    def work(number):
        def emitting(turns):
            for place in range(20):
                turns.emit(Segment(f"{number}", place, place + 1))
            return JobResult(f"{number}")

        return emitting

    sent = messages(circle(**{f"job{n}": work(n) for n in range(8)}))
    for message in sent:
        if isinstance(message, TurnDone):
            assert [segment.text for segment in message.segments] == [str(message.key)]
        elif isinstance(message, Ended):
            assert message.outcome.language == str(message.key)
    assert sum(isinstance(message, TurnDone) for message in sent) == 160


def test_errors_of_a_job_keep_their_type():
    def work(turns):
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        in_turns(work)
