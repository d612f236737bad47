"""Work continues if a worker crashes, hangs, needs too much memory or is killed."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import time
from functools import partial

import pytest

from fonoteka.audiocheck import process_limits
from fonoteka.audiocheck.sandbox import WorkerLimits, guarded
from fonoteka.audiocheck.sandbox_worker import WorkerFailure

ALLOWANCE = WorkerLimits(item_s=20.0, memory_mib=256)
ITEMS = list(range(50))


def work(item, bad=(), failure=None):
    if item in bad:
        failure(item)
    return item * item


def crash(_):
    faulthandler.disable()  # pytest's own, which would tell at length what is meant to happen
    ctypes.string_at(0)  # a null pointer, as a decoder may follow one


def stop(_):
    os._exit(3)


def hang(_):
    time.sleep(60)


def hunger(_):
    return bytearray(2**30)


def results(failure, bad=(7, 8, 30), workers=2, allowance=ALLOWANCE):
    return list(guarded(partial(work, bad=bad, failure=failure), ITEMS, workers, allowance))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_all_results_come_in_order(workers):
    assert results(None, (), workers) == [item * item for item in ITEMS]


@pytest.mark.parametrize(
    ("failure", "lost"),
    [
        (
            crash,
            WorkerFailure("crash", f"its decoder crashed twice: signal {signal.SIGSEGV.value}"),
        ),
        (stop, WorkerFailure("crash", "its decoder crashed twice: exit status 3")),
        (hunger, WorkerFailure("memory", "needs more than 256 MiB of memory")),
    ],
)
def test_an_item_that_takes_its_worker_along_is_named_and_the_others_are_done(failure, lost):
    expected = [lost if item in (7, 8, 30) else item * item for item in ITEMS]
    assert results(failure) == expected


def test_an_item_that_hangs_is_ended_at_its_limit():
    began = time.monotonic()
    result = results(hang, (7,), allowance=WorkerLimits(0.4, 256))
    assert time.monotonic() - began < 10  # not the minute that it would sleep
    assert result[7] == WorkerFailure("time", "took more than 0.4 s to decode")
    assert [item for item in result if isinstance(item, WorkerFailure)] == [result[7]]


def test_a_worker_that_is_killed_once_costs_no_item(tmp_path):
    """The system may end a process for another's hunger; the item is not to blame."""
    mark = tmp_path / "killed"

    def die_once(_):
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    assert results(die_once, (7,)) == [item * item for item in ITEMS]


def test_a_fault_of_ours_is_raised_and_not_counted():
    def wrong(item):
        raise ZeroDivisionError(f"item {item}")

    with pytest.raises(ZeroDivisionError, match="item 7"):
        results(wrong, (7,))


def test_nothing_to_do_is_done():
    assert list(guarded(work, [], 2, ALLOWANCE)) == []


def without_resource(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)  # so that importing it fails


def without_proc(monkeypatch):
    monkeypatch.setattr(process_limits, "_held_bytes", lambda: 0)


@pytest.mark.parametrize("system", [without_resource, without_proc])
def test_where_memory_cannot_be_limited_that_is_one_sentence_and_the_work_is_done(
    system, monkeypatch, capsys
):
    system(monkeypatch)
    assert results(stop, (7,)) == [
        WorkerFailure("crash", "its decoder crashed twice: exit status 3")
        if item == 7
        else item * item
        for item in ITEMS
    ]
    assert capsys.readouterr().err == (
        f"memory: the limit of 256 MiB per worker is not enforced, because {sys.platform} limits "
        "no process's memory\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
def test_where_memory_is_limited_nothing_is_printed(capsys):
    assert results(None, ())[7] == 49
    assert capsys.readouterr() == ("", "")
