"""A full queue names the time in which it has room, by how fast the workers were lately."""

from __future__ import annotations

import pytest

from fonoteka.service.work import throughput
from fonoteka.service.work.throughput import FIRST_GUESS, MEMORY_S, Throughput


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = [1000.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])
    return now


def test_the_rate_is_the_sound_per_second_of_the_last_minute(clock):
    speed = Throughput()
    assert speed.rate() == FIRST_GUESS
    for _ in range(11):
        speed.add(20)
        clock[0] += 1
    assert speed.rate() == pytest.approx(20)
    clock[0] += MEMORY_S
    assert speed.rate() == FIRST_GUESS


def test_one_of_the_jobs_is_over_after_its_share_of_the_sound(clock):
    speed = Throughput()
    speed.add(10)
    clock[0] += 2
    assert speed.retry_after_s(remaining_s=100, jobs=4) == 5
    assert speed.retry_after_s(remaining_s=0, jobs=0) == 1
    assert speed.retry_after_s(remaining_s=1e6, jobs=1) == throughput.LONGEST_RETRY_S


def test_sound_of_more_than_a_minute_ago_is_not_in_the_rate(clock):
    speed = Throughput()
    speed.add(600)
    clock[0] += MEMORY_S
    speed.add(10)
    clock[0] += 2
    assert speed.rate() == pytest.approx(5)
