"""Results, errors and the cache, the same for each executor of this machine."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import toy_driver
from toy_task import ToyTask, digests, noted, toy_plan, write_params

from fonoteka.compute.clip_task import Shard
from fonoteka.compute.execution import load_execution
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.work_unit import ClipFaultError
from fonoteka.core.errors import UserError

LOCAL = ("serial", "processes", "slurm")


def results_of(task, plan):
    return [(shard.name, results) for shard, results in map_shards(task, plan)]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("executor", LOCAL)
def test_results_are_the_same_with_any_executor_and_number_of_workers(executor, workers):
    write_params(executor, workers)
    plan = toy_plan()
    assert results_of(ToyTask(sleep_s=0.02), plan) == digests(plan)
    assert sorted(noted("calls")) == sorted(clip for shard in plan for clip in shard.items)


@pytest.mark.parametrize("executor", LOCAL)
def test_results_of_the_cache_are_not_computed_again(executor):
    write_params("serial")
    old, plan = toy_plan(shards=1), toy_plan(shards=2)
    results_of(ToyTask(), old)
    before = len(noted("calls"))
    write_params(executor)
    assert results_of(ToyTask(), plan) == digests(plan)
    assert {*noted("calls")[before:]} == {*plan[1].items}


def test_a_run_without_a_missing_result_starts_no_worker_and_opens_no_task():
    write_params("serial")
    results_of(ToyTask(), toy_plan())
    opened = len(noted("opened"))
    for executor in ("processes", "slurm", "dask"):
        write_params(executor, scheduler="tcp://127.0.0.1:1")
        assert results_of(ToyTask(), toy_plan()) == digests(toy_plan())
    assert len(noted("opened")) == opened == 1


@pytest.mark.parametrize("executor", LOCAL)
def test_a_mistake_of_the_user_is_one_sentence_with_the_shard_and_the_clip(executor):
    write_params(executor)
    with pytest.raises(UserError, match=r"^shard-1: clip 's1-c2': 12 Hz is too low$"):
        results_of(ToyTask(refused="s1-c2"), toy_plan())


@pytest.mark.parametrize("executor", LOCAL)
def test_a_fault_names_its_clip_and_keeps_its_traceback(executor):
    write_params(executor)
    with pytest.raises(ClipFaultError, match=r"^shard-1: clip 's1-c2': ZeroDivisionError") as info:
        results_of(ToyTask(faulty="s1-c2"), toy_plan())
    assert 'raise ZeroDivisionError("division of a toy")' in str(info.value)


def test_the_error_is_the_first_one_of_the_plan_and_not_the_fastest():
    write_params("processes", workers=4)
    with pytest.raises(UserError, match=r"^shard-0: clip 's0-c5'"):
        results_of(ToyTask(sleep_s=0.1, refused="s0-c5", faulty="s1-c0"), toy_plan())


@pytest.mark.parametrize("executor", ["processes", "slurm"])
def test_a_killed_worker_changes_no_result_and_no_finished_clip_is_computed_again(executor):
    write_params(executor)
    plan = toy_plan()
    task = ToyTask(sleep_s=0.02, killing="s1-c3", once=str(Path("killed").absolute()))
    assert results_of(task, plan) == digests(plan)
    clips = sum(len(shard.items) for shard in plan)
    assert Path("killed").exists()
    # Clips that its neighbours had in work are computed twice: at most one per other worker.
    assert clips <= len(noted("calls")) <= clips + 1


@pytest.mark.parametrize("executor", ["processes", "slurm"])
def test_a_clip_that_kills_each_worker_is_named(executor):
    write_params(executor)
    with pytest.raises(UserError, match=r"^shard-1: clip 's1-c3': .*(killed|ended)"):
        results_of(ToyTask(sleep_s=0.01, killing="s1-c3"), toy_plan())
    assert not {"s1-c3"} & {*noted("calls")}


def test_a_plan_is_read_a_bounded_number_of_units_ahead():
    write_params("processes", workers=2)
    plan = [Shard(f"shard-{n}", (f"s{n}",)) for n in range(100)]
    shards = map_shards(ToyTask(), plan)
    next(shards)
    time.sleep(0.3)
    assert len(noted("calls")) <= 8
    shards.close()


@pytest.mark.parametrize("executor", ["processes", "dask", "slurm"])
def test_after_a_killed_driver_the_next_run_continues(executor):
    write_params(executor)
    command = [sys.executable, toy_driver.__file__, "0.3", "result"]
    driver = subprocess.Popen(command, start_new_session=True)
    until = time.monotonic() + 30
    while len(noted("calls")) < 4 and time.monotonic() < until:
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    finished = len(noted("calls"))
    assert 4 <= finished < 21
    assert not Path("result").exists()
    subprocess.run([*command[:2], "0.0", "result"], check=True)
    plan = toy_plan()
    expected = b"".join(digest for _, part in digests(plan) for digest in part)
    assert Path("result").read_bytes() == expected
    # Two clips were in work, and elements of Slurm live until the next run cancels them.
    assert len(noted("calls")) <= 21 + 4


def test_processes_end_with_a_killed_driver():
    write_params("processes")
    command = [sys.executable, toy_driver.__file__, "1.0", "result"]
    driver = subprocess.Popen(command, start_new_session=True)
    until = time.monotonic() + 30
    while not noted("opened") and time.monotonic() < until:
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    time.sleep(0.2)
    assert not alive_in_session(driver.pid)


def alive_in_session(session):
    """Return the processes of a session; those that have ended do not count."""
    names = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                names.append(process.cmdline())
    return names


def test_an_unknown_executor_is_refused(monkeypatch):
    write_params("ray")
    message = (
        "params.yaml: execution.executor: expected serial, processes, dask, slurm, found 'ray'"
    )
    with pytest.raises(UserError, match=message):
        results_of(ToyTask(), toy_plan())
    monkeypatch.setenv("FONOTEKA_EXECUTOR", "spark")
    with pytest.raises(UserError, match=r"^FONOTEKA_EXECUTOR: expected .* found 'spark'"):
        load_execution()


def test_the_environment_replaces_the_executor_for_one_run(monkeypatch):
    write_params("ray")
    monkeypatch.setenv("FONOTEKA_EXECUTOR", "serial")
    assert load_execution().executor == "serial"


def test_a_number_outside_its_range_is_refused():
    write_params("serial", workers=-1)
    with pytest.raises(UserError, match=r"execution\.workers must be >= 0, got -1"):
        load_execution()
