"""A stage leaves a log with its arguments, steps, utilisation and end, and never fails by it."""

from __future__ import annotations

import os
import resource
import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest
from stage_logs import events, log_lines, logged, run_stage

from fonoteka.core import stage_log
from fonoteka.core.stage_log import log_event, log_step

STEPS = """
from pathlib import Path
from fonoteka.core.stage_log import log_step
def main():
    for step in range(1, 4):
        log_step(step=step, loss=1 / step, learning_rate=0.1, epoch=1)
    Path("out.txt").write_text("result")
"""


def test_a_run_has_a_start_its_steps_and_an_end(tmp_path):
    done = run_stage(STEPS, "my logs", "a", "--b", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = log_lines(tmp_path / "my logs", "train@mlp")
    assert [line["event"] for line in lines] == ["start", "step", "step", "step", "end"]
    start, step, end = lines[0], lines[2], lines[-1]
    assert (start["stage"], start["arguments"]) == ("train@mlp", ["a", "--b"])
    assert start["run"].endswith(f"-{start['process']}")
    assert [step[k] for k in ("step", "loss", "learning_rate", "epoch")] == [2, 0.5, 0.1, 1]
    assert (end["level"], end["exit"], "error" in end) == ("info", 0, False)
    assert end["cpu_s"] >= 0
    assert end["peak_memory_mib"] > 1
    assert end["peak_process_mib"] > 1
    assert end["seconds"] < 60


def test_the_default_folder_is_logs(tmp_path):
    run_stage(STEPS, "", cwd=tmp_path)
    assert len(log_lines(tmp_path / "logs", "train@mlp")) == 5


@pytest.mark.parametrize(
    ("raised", "code", "kind"),
    [
        ("UserError('clip of Ana')", 1, "UserError"),
        ("RuntimeError('clip of Ana')", 1, "RuntimeError"),
        ("SystemExit(3)", 3, None),
        ("SystemExit('clip of Ana')", 1, None),
        ("KeyboardInterrupt()", 130, "KeyboardInterrupt"),
    ],
)
def test_a_failed_run_ends_with_its_code_and_the_kind_of_error_but_not_its_text(
    raised, code, kind, tmp_path
):
    main = f"from fonoteka.core.errors import UserError\ndef main(): raise {raised}"
    assert run_stage(main, str(tmp_path)).returncode == code
    lines = log_lines(tmp_path, "train@mlp")
    assert (lines[-1]["level"], lines[-1]["exit"]) == ("error", code)
    assert lines[-1].get("error") == kind
    assert "Ana" not in str(lines)


def test_a_killed_run_has_no_end_and_loses_no_line_before(tmp_path):
    main = STEPS.replace(
        'Path("out.txt").write_text("result")', "import os; os.kill(os.getpid(), 9)"
    )
    assert run_stage(main, str(tmp_path)).returncode == -9
    assert [line["event"] for line in log_lines(tmp_path, "train@mlp")][1:] == ["step"] * 3


def test_logs_can_be_turned_off(tmp_path):
    run_stage(STEPS, "off", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_a_folder_that_cannot_be_made_is_reported_once_and_the_stage_succeeds(tmp_path):
    (tmp_path / "file").touch()
    done = run_stage(STEPS, "file", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("logs: [Errno ")
    assert done.stderr.endswith("; the stage continues without a log\n")
    assert (tmp_path / "out.txt").read_text() == "result"


def test_a_disk_that_becomes_full_is_reported_once_and_the_stage_succeeds(tmp_path):
    # A file may have 400 bytes: the second step is cut in the middle, as on a full disk.
    limit = f"import resource; resource.setrlimit({resource.RLIMIT_FSIZE}, (400, 400))"
    done = run_stage(
        STEPS.replace("def main():", f"def main():\n    {limit}"), "logs", cwd=tmp_path
    )
    assert done.returncode == 0
    assert done.stderr == "logs: the line was cut; the stage continues without a log\n"
    assert (tmp_path / "out.txt").read_text() == "result"


def test_the_last_20_runs_of_a_stage_remain(tmp_path):
    for number in range(25):
        path = tmp_path / "toy" / f"20200101T0000{number:02d}Z-7.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "20200101T000000Z-7.jsonl").touch()
    with logged(tmp_path):
        names = sorted(path.name for path in (tmp_path / "toy").iterdir())
    assert names[0] == "20200101T000006Z-7.jsonl"
    assert len(names) == 20
    assert names[-1].endswith(f"-{os.getpid()}.jsonl")
    assert len([*(tmp_path / "other").iterdir()]) == 1


def test_a_name_of_a_stage_is_one_folder(tmp_path):
    with logged(tmp_path, "../a/dvc.yaml:b@c\n"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".._a_dvc.yaml_b@c_"]


def sampled(folder, work=lambda: None):
    """Return a sample that was taken after some work."""
    twice, written = threading.Event(), []
    write = stage_log.StageLog.write

    def watched(log, event, fields, level="info"):
        write(log, event, fields, level)
        written.append(event)
        if written.count("sample") == 2:
            twice.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_log.StageLog, "write", watched)
        with logged(folder):
            work()
            assert twice.wait(30)
    return events(log_lines(folder, "toy"), "sample")[-1]


def test_samples_have_utilisation_and_the_step(tmp_path):
    sample = sampled(tmp_path, lambda: log_step(step=7, loss=1.0, learning_rate=0.1))
    assert sample["step"] == 7
    assert sample["cpu_share"] >= 0
    assert sample["memory_mib"] > 5
    assert sample["seconds"] > 0
    assert "gpu_share" not in sample


def test_the_gpu_counts_only_if_torch_uses_it(monkeypatch):
    torch = ModuleType("torch")
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert stage_log.gpu_usage() == {}  # its import has just begun
    torch.cuda = SimpleNamespace(
        is_initialized=lambda: True, memory_allocated=lambda: 3 * 2**20, utilization=lambda: 40
    )
    assert stage_log.gpu_usage() == {"gpu_memory_mib": 3.0, "gpu_share": 0.4}
    torch.cuda.is_initialized = lambda: False
    assert stage_log.gpu_usage() == {}


def test_a_driver_that_does_not_count_leaves_the_memory(monkeypatch):
    def refuse():
        raise ModuleNotFoundError("pynvml")

    cuda = SimpleNamespace(
        is_initialized=lambda: True, memory_allocated=lambda: 2**20, utilization=refuse
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert stage_log.gpu_usage() == {"gpu_memory_mib": 1.0}


def test_without_an_open_log_steps_and_events_do_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log_step(step=1, loss=1.0, learning_rate=0.1)
    log_event("valid", epoch=1)
    assert not [*tmp_path.iterdir()]


def test_a_loss_that_is_not_a_number_is_a_line_too(tmp_path):
    with logged(tmp_path):
        log_step(step=1, loss=float("nan"), learning_rate=0.1)
    assert events(log_lines(tmp_path, "toy"), "step")[0]["loss"] == "nan"


def test_threads_and_forked_children_write_whole_lines(tmp_path):
    def write(first):
        for step in range(first, first + 200):
            log_step(step=step, loss=0.0, learning_rate=0.0, note="x" * 300)

    with logged(tmp_path):
        if (child := os.fork()) == 0:
            write(1000)
            os._exit(0)
        threads = [threading.Thread(target=write, args=(200 * n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        write(600)
        for thread in threads:
            thread.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    steps = [line["step"] for line in events(log_lines(tmp_path, "toy"), "step")]
    assert sorted(steps) == [*range(800), *range(1000, 1200)]


def test_the_sampler_has_ended_with_the_block(tmp_path):
    with logged(tmp_path):
        assert "stage-log" in {thread.name for thread in threading.enumerate()}
    assert "stage-log" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("stages.training.train.__main__", "train"),
        ("stages.alignment.align", "align"),
        ("fonoteka.bench.decode_baseline", None),
        (None, None),
    ],
)
def test_a_stage_that_dvc_did_not_start_is_named_after_its_module(module, name, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    spec = SimpleNamespace(name=module) if module else None
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    assert stage_log.stage_name() == name
