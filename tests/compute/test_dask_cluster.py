"""The executor `dask`, on one cluster for the module and on ones that are killed."""

import logging
import re
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import toy_driver
from toy_task import ToyTask, digests, noted, toy_plan, write_params

from fonoteka.compute import packed_task
from fonoteka.compute.executors import dask_cluster
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.work_unit import ClipFaultError
from fonoteka.core.errors import UserError

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
PLAN = toy_plan()
CLIPS = [clip for shard in PLAN for clip in shard.items]


def results_of(task):
    return [(shard.name, results) for shard, results in map_shards(task, PLAN)]


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster with one worker; tests may add some."""
    # As the executor's own cluster, but a clip is given up after the second worker.
    options = {
        "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL,
        "scheduler_kwargs": {"allowed_failures": 1},
    }  # fmt: skip
    with dask.config.set(dask_cluster.SETTINGS), ExitStack() as stack:
        cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options)
        stack.callback(dask_cluster.close_cluster, cluster)
        yield cluster


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_are_the_same_with_any_number_of_dask_workers(workers, cluster):
    cluster.scale(workers)
    cluster.wait_for_workers(workers)
    write_params("dask", workers, cluster.scheduler_address)
    assert results_of(ToyTask(sleep_s=0.02)) == digests(PLAN)
    assert sorted(noted("calls")) == sorted(CLIPS)


def test_errors_of_dask_workers_have_the_clip_and_the_traceback(cluster):
    write_params("dask", 2, cluster.scheduler_address)
    with pytest.raises(UserError, match=r"^shard-1: clip 's1-c2': 12 Hz is too low$"):
        results_of(ToyTask(refused="s1-c2"))
    with pytest.raises(ClipFaultError, match=r"^shard-1: clip 's1-c2': ZeroDivisionError") as info:
        results_of(ToyTask(faulty="s1-c2"))
    assert 'raise ZeroDivisionError("division of a toy")' in str(info.value)


def test_a_worker_with_other_code_is_refused(cluster, monkeypatch):
    write_params("dask", 1, cluster.scheduler_address)
    monkeypatch.setattr(packed_task, "code_hash", lambda: "0" * 64)
    message = r"^the worker \S+ has other code than the driver, [0-9a-f]{12} and not 0{12}; restart"
    with pytest.raises(UserError, match=message):
        results_of(ToyTask())
    assert not noted("calls")


def test_a_class_of_the_program_itself_reaches_the_workers(cluster):
    write_params("dask", 1, cluster.scheduler_address)
    text = Path(toy_driver.__file__).with_name("toy_task.py").read_text(encoding="utf-8")
    Path("program.py").write_text(
        f"{text}\nif __name__ == '__main__':\n    from fonoteka.compute.map_shards import "
        "map_shards\n    print(len([r for _, p in map_shards(ToyTask(), toy_plan()) for r in p]))\n"
    )
    done = subprocess.run([sys.executable, "program.py"], check=True, capture_output=True)
    assert int(done.stdout) == len(CLIPS)


def test_a_lost_dask_worker_changes_no_result(cluster):
    cluster.scale(2)
    cluster.wait_for_workers(2)
    write_params("dask", 2, cluster.scheduler_address)
    once = ToyTask(sleep_s=0.02, killing="s1-c3", once=str(Path("killed").absolute()))
    assert results_of(once) == digests(PLAN)
    assert Path("killed").exists()
    assert len(noted("calls")) <= len(CLIPS) + 1  # one was in work on the other worker


def test_a_clip_that_kills_each_dask_worker_is_named(cluster):
    write_params("dask", 2, cluster.scheduler_address)
    with pytest.raises(UserError, match=r"^shard-1: clip 's1-c3': 2 Dask workers were lost"):
        results_of(ToyTask(killing="s1-c3"))
    assert {*noted("calls")} >= {*PLAN[0].items}


def test_a_cluster_is_started_if_the_scheduler_has_no_address():
    write_params("dask", 1)
    assert results_of(ToyTask()) == digests(PLAN)


@pytest.fixture
def losing_cluster(request):
    """Return a cluster that raises KeyError `request.param` times before it retires workers."""
    cluster = distributed.LocalCluster(
        n_workers=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    )
    retire, losses = cluster.scheduler.handlers["retire_workers"], ["tcp://127.0.0.1:1"]

    def retire_after_losses(**options):
        if len(losses) <= request.param:
            losses.append(losses[0])
            raise KeyError(losses[0])
        return retire(**options)

    cluster.scheduler.handlers["retire_workers"] = retire_after_losses
    yield cluster
    cluster.scheduler.handlers["retire_workers"] = retire
    dask_cluster.close_cluster(cluster)
    assert cluster.status == distributed.core.Status.closed


@pytest.mark.parametrize("losing_cluster", [1, 3], indirect=True)
def test_workers_may_be_lost_while_their_cluster_closes(losing_cluster):
    dask_cluster.close_cluster(losing_cluster)
    assert losing_cluster.status == distributed.core.Status.closed


@pytest.mark.parametrize("losing_cluster", [1_000_000], indirect=True)
def test_a_cluster_that_loses_workers_without_end_keeps_its_error(losing_cluster, monkeypatch):
    monkeypatch.setattr(dask_cluster, "CLOSE_S", 0.3)
    with pytest.raises(KeyError, match=r"tcp://127\.0\.0\.1:1"):
        dask_cluster.close_cluster(losing_cluster)
    losing_cluster.status = distributed.core.Status.failed  # it can be closed after that


def test_a_cluster_without_a_worker_is_one_sentence(monkeypatch):
    monkeypatch.setattr(dask_cluster, "NO_WORKER_S", 0.3)
    with distributed.LocalCluster(
        n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    ) as empty:
        write_params("dask", 1, empty.scheduler_address)
        with pytest.raises(UserError, match=r"^Dask scheduler \S+: it has had no worker for 0 s"):
            results_of(ToyTask())


def test_a_scheduler_that_does_not_answer_is_one_sentence_within_seconds(monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 1.0)
    with socket.socket() as bound:  # bound, and refuses connections
        bound.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{bound.getsockname()[1]}"
        write_params("dask", 1, address)
        started = time.monotonic()
        with pytest.raises(UserError, match=f"^Dask scheduler {re.escape(address)}: [^\n]+$"):
            results_of(ToyTask())
    assert time.monotonic() - started < 15


def test_a_scheduler_that_is_killed_loses_no_finished_clip():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    write_params("dask", 1, address)
    dask = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = subprocess.Popen(
        [*dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port),
         "--no-dashboard"], **quiet,
    )  # fmt: skip
    worker = subprocess.Popen(
        [*dask, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
         "--no-dashboard", "--death-timeout", "5"], **quiet,
    )  # fmt: skip
    try:
        command = [sys.executable, toy_driver.__file__, "0.4", "result"]
        driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 40
        while len(noted("calls")) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        scheduler.kill()
        _, errors = driver.communicate(timeout=60)
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()
    assert driver.returncode == 2
    sentence = errors.strip().splitlines()[-1]
    assert sentence.startswith(f"error: Dask scheduler {address}: "), errors
    finished = len(noted("calls"))
    write_params("serial")
    assert results_of(ToyTask()) == digests(PLAN)
    assert finished >= 3
    assert len(noted("calls")) <= len(CLIPS) + 1
