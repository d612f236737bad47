"""The executor `slurm`, with commands that run elements on this machine or that fail."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from toy_task import ToyTask, digests, noted, toy_plan, write_params

from fonoteka.compute.clip_cache import FOLDER
from fonoteka.compute.execution import SlurmParams
from fonoteka.compute.executors import slurm_array, slurm_commands
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.packed_task import pack, pack_unit
from fonoteka.compute.work_unit import WorkUnit
from fonoteka.core.errors import UserError

PLAN = toy_plan()
SLURM = SlurmParams("long", 4, "04:00:00", ("--gres=gpu:1",), 0.05)


def results_of(task):
    return [(shard.name, results) for shard, results in map_shards(task, PLAN)]


def command(folder, name, text):
    """Put a program before the others on PATH."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    folder = tmp_path / "failing"
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def test_an_array_gets_the_options_of_params(programs):
    command(programs, "sbatch", 'echo "$@" > options; echo "77;cluster"')
    job = slurm_commands.submit_array(Path("spool/array-0.sh"), "toy", 12, SLURM)
    assert job == "77"
    options = Path("options").read_text().split()
    assert {"--array=0-11%4", "--partition=long", "--time=04:00:00", "--gres=gpu:1"} <= {*options}
    assert options[-1] == "spool/array-0.sh"


def test_a_finished_run_leaves_no_spool():
    write_params("slurm")
    assert results_of(ToyTask()) == digests(PLAN)
    assert [*slurm_array.SPOOLS.iterdir()] == []


def test_a_full_disk_ends_the_run_and_the_next_one_gives_all_results(monkeypatch):
    write_params("slurm")
    write = Path.write_bytes

    def full(path, data):
        if path.suffix == ".unit" and path.stem != "0":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left on device"):
            results_of(ToyTask())
    assert results_of(ToyTask()) == digests(PLAN)
    assert [*slurm_array.SPOOLS.iterdir()] == []


def test_a_refused_array_is_one_sentence(programs):
    write_params("slurm")
    command(programs, "sbatch", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1")
    message = "^sbatch: sbatch: error: invalid partition specified: x; correct execution.slurm"
    with pytest.raises(UserError, match=message.replace(".", r"\.")):
        results_of(ToyTask())


def test_a_machine_without_slurm_is_one_sentence(monkeypatch):
    write_params("slurm")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"^execution\.executor is slurm, but sbatch was not found"):
        results_of(ToyTask())


def test_a_controller_that_is_away_for_a_moment_is_waited_for(programs, monkeypatch):
    monkeypatch.setattr(slurm_commands, "RETRY_S", 0.01)
    command(
        programs, "squeue",
        "echo x >> asked; [ $(wc -l < asked) -gt 2 ] && echo 5 && exit\n"
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1",
    )  # fmt: skip
    assert [*slurm_commands.alive(["77"])] == [("77", 5)]
    Path("asked").unlink()
    monkeypatch.setattr(slurm_commands, "UNREACHABLE_S", 0.0)
    with pytest.raises(UserError, match=r"^squeue: .*Unable to contact slurm controller; results"):
        [*slurm_commands.alive(["77"])]


def test_the_job_of_a_killed_driver_is_cancelled_by_the_next_run(programs):
    write_params("slurm")
    ended = subprocess.Popen(["true"])
    ended.wait()
    mine = f"toy-{slurm_array.socket.gethostname()}-{ended.pid}"
    old = slurm_array.SPOOLS / mine
    old.mkdir(parents=True)
    (old / "array-0.job").write_text("4242")
    command(programs, "scancel", 'echo "$@" >> cancelled')
    results_of(ToyTask())
    assert Path("cancelled").read_text() == "4242\n"
    assert not old.exists()


def test_a_worker_program_with_other_code_refuses_the_task(tmp_path):
    packed = pack(ToyTask(), FOLDER)
    other = type(packed)(packed.task, packed.top, packed.cache, "0" * 64)
    outcome = worker_outcome(other)
    assert "has other code than the driver" in outcome.failure.message
    assert outcome.failure.trace == ""
    assert not noted("opened")


def test_a_worker_program_without_the_folder_refuses_the_task(tmp_path):
    packed = pack(ToyTask(), FOLDER)
    other = type(packed)(packed.task, str(tmp_path / "gone"), packed.cache, packed.code)
    assert "workers need the driver's folder on a shared" in worker_outcome(other).failure.message


def worker_outcome(packed):
    spool = Path("spool")
    spool.mkdir()
    (spool / "task").write_bytes(pickle.dumps(packed))
    (spool / "3.unit").write_bytes(pack_unit(WorkUnit(3, "shard-0", ("a",), ("0" * 64,))))
    subprocess.run([sys.executable, "-m", "fonoteka.compute.worker", "spool", "3"], check=True)
    return pickle.loads((spool / "3.outcome").read_bytes())
