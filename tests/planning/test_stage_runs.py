"""Logs of stages are read as the stages write them, killed and failed runs included."""

import pytest
from built_projects import sample, write_log

from fonoteka.core.stage_log import log_step, stage_log
from fonoteka.planning.stage_runs import last_finished, read_run, read_runs


def test_the_log_that_a_stage_writes_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("FONOTEKA_LOGS", str(tmp_path))
    with stage_log("train@mlp"):
        log_step(step=1, loss=0.5, learning_rate=0.1)
        log_step(step=2, loss=0.4, learning_rate=0.1)
    ((run,),) = read_runs(tmp_path).values()
    assert (run.stage, run.steps, run.exit, run.finished) == ("train@mlp", 2, 0, True)
    assert run.cores >= 1
    assert 0 < run.import_cpu_s <= run.cpu_s


def test_the_last_finished_run_counts(tmp_path):
    write_log(tmp_path, "split", 1.0, run="090000Z-9")
    write_log(tmp_path, "split", 2.0, run="100000Z-1")
    write_log(tmp_path, "split", 3.0, run="110000Z-5", code=1)
    write_log(tmp_path, "split", 4.0, run="120000Z-2", code=None)
    runs = read_runs(tmp_path / "logs")
    assert [run.exit for run in runs["split"]] == [0, 0, 1, None]
    assert last_finished(runs)["split"].cpu_s == 2.0


def test_a_stage_that_never_finished_has_no_run_that_counts(tmp_path):
    write_log(tmp_path, "split", 4.0, code=None)
    write_log(tmp_path, "audit", 4.0, code=137)
    assert last_finished(read_runs(tmp_path / "logs")) == {}


def test_imports_are_part_of_the_processor_seconds(tmp_path):
    run = read_run(write_log(tmp_path, "split", 5.0, import_cpu_s=3.5))
    assert (run.cpu_s, run.import_cpu_s) == (5.0, 3.5)


def test_a_line_that_was_cut_is_skipped(tmp_path):
    path = write_log(tmp_path, "split", 5.0, code=None)
    path.write_bytes(path.read_bytes() + b'{"event": "step", "step": 3}\n{"event": "st\n[1]\n7\n')
    run = read_run(path)
    assert (run.steps, run.exit) == (3, None)


def test_a_log_without_its_first_line_is_of_the_stage_of_its_folder(tmp_path):
    path = tmp_path / "split" / "x.jsonl"
    path.parent.mkdir()
    path.write_bytes(b"")
    assert read_run(path).stage == "split"


def test_seconds_per_step_are_those_between_samples(tmp_path):
    # 5 s at 2 cores for 10 steps: 1 s per step; then 10 s at half a core for 5 steps: 1 s.
    events = (sample(5, 1.9, 2), sample(10, 2.0, 12), sample(15, 0.5, 14), sample(20, 0.5, 17))
    run = read_run(write_log(tmp_path, "train_whisper", 30.0, between=events))
    assert run.step_cpu_s == pytest.approx((1.0, 1.0))


def test_time_before_the_first_step_is_not_of_a_step(tmp_path):
    events = (sample(5, 2.0), sample(10, 2.0, 1), sample(15, 1.0, 6), sample(20, 1.0))
    run = read_run(write_log(tmp_path, "train_whisper", 30.0, between=events))
    assert run.step_cpu_s == pytest.approx((1.0,))


def test_a_run_that_continued_is_scaled_to_all_steps(tmp_path):
    # 10 of 40 steps in 20 s after 2 s of imports: all would be 80 s.
    steps = tuple({"event": "step", "step": step} for step in range(31, 41))
    run = read_run(write_log(tmp_path, "train_whisper", 22.0, import_cpu_s=2.0, between=steps))
    assert (run.first_step, run.steps, run.cpu_s) == (31, 40, 22.0)
    assert run.whole_cpu_s == 2.0 + 80.0


def test_a_run_from_its_first_step_or_without_steps_is_not_scaled(tmp_path):
    for steps in ((), ({"event": "step", "step": 1}, {"event": "step", "step": 2})):
        run = read_run(write_log(tmp_path, "split", 9.0, between=steps))
        assert run.whole_cpu_s == run.cpu_s == 9.0


def test_a_folder_without_logs_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"logs: no such folder, so no stage was measured"):
        read_runs(tmp_path / "logs")
