"""Parts of the runner that start nothing: its order of stages, its display, its command line."""

import io
import sys
from pathlib import Path

import pytest
from command_line import exit_code
from rich.console import Console

from fonoteka.pipeline.runner import process
from fonoteka.pipeline.runner.progress import ProgressDisplay, table
from fonoteka.pipeline.scheduler import Schedule, ScheduledStage, StageOutcome


def test_the_stage_above_the_longest_chain_goes_first():
    stages = [
        ScheduledStage("short"),
        ScheduledStage("long"),
        ScheduledStage("mid", ("long",)),
        ScheduledStage("end", ("mid",)),
        ScheduledStage("last"),
    ]
    schedule = Schedule(stages)
    assert schedule.ready() == ["long", "short", "last"]
    schedule.start("long")
    assert schedule.ready() == ["short", "last"]
    schedule.finish("long", StageOutcome.RAN)
    assert schedule.ready() == ["mid", "short", "last"]


def test_a_stage_that_takes_long_goes_before_a_longer_chain_of_quick_ones():
    stages = [
        ScheduledStage("up"),
        ScheduledStage("mid", ("up",)),
        ScheduledStage("end", ("mid",)),
        ScheduledStage("slow", seconds=240),
    ]
    assert Schedule(stages).ready() == ["slow", "up"]


@pytest.mark.parametrize(
    ("above", "below"),
    [(StageOutcome.RAN, None), (StageOutcome.CACHED, None), (StageOutcome.UNCHANGED, "settled")],
)
def test_a_stage_that_is_not_stale_starts_only_below_one_that_changed_something(above, below):
    schedule = Schedule([ScheduledStage("up"), ScheduledStage("down", ("up",), stale=False)])
    schedule.start("up")
    schedule.finish("up", above)
    assert schedule.ready() == ([] if below else ["down"])
    assert schedule.outcomes.get("down") == (StageOutcome.UP_TO_DATE if below else None)


class Runner:
    name = "train@mlp"

    def elapsed_s(self):
        return 12.4

    def latest_line(self):
        return "epoch 3 [bold]"


def test_a_terminal_sees_each_stage_with_its_seconds_and_its_latest_line():
    screen = io.StringIO()
    with ProgressDisplay(22, Console(file=screen, force_terminal=True, width=80)) as progress:
        progress.draw(3, [Runner()])
        progress.ended(4, "split", "done in 2.1 s")
    for text in (
        "3 of 22 stages done, 1 running",
        "12 s",
        "epoch 3 [bold]",
        "[ 4/22] split: done in 2.1 s",
    ):
        assert text in screen.getvalue()


def test_a_long_line_gives_way_to_the_name_of_its_stage(monkeypatch):
    monkeypatch.setattr(Runner, "latest_line", lambda _self: "> python " + 40 * "very long ")
    screen = io.StringIO()
    console = Console(file=screen, width=60)
    console.print(table(3, 22, [Runner()]))
    assert [line.split() for line in screen.getvalue().splitlines()][1][:3] == [
        "train@mlp", "12", "s"
    ]  # fmt: skip


def test_a_pipe_sees_plain_lines_only():
    pipe = io.StringIO()
    with ProgressDisplay(22, Console(file=pipe)) as progress:
        progress.draw(3, [Runner()])
        progress.ended(4, "split", "done in 2.1 s")
    assert pipe.getvalue() == "[ 4/22] split: done in 2.1 s\n"


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_the_number_of_jobs_is_at_least_one(jobs, capsys):
    assert exit_code("repro", f"--jobs={jobs}") == 2
    assert "Invalid value for '--jobs'" in capsys.readouterr().err


def test_what_dvc_itself_has_to_say_is_kept():
    missing = "ERROR: failed to reproduce 'a': missing data 'source': in.txt"
    assert process.stage_output(f"Running stage 'a':\n> cat in.txt\n{missing}\n") == missing


def test_a_stage_starts_the_python_that_runs_the_command(monkeypatch):
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert process.path_of_this_python() == f"{folder}:/usr/bin"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin")
    assert process.path_of_this_python() == f"{folder}:/usr/bin"
