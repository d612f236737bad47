"""Parts of the runner that start nothing: its order of stages, its display, its command line."""

import io
import sys
from pathlib import Path

import pytest
from command_line import exit_code
from rich.console import Console

from fonoteka.pipeline.runner import process as stage_process
from fonoteka.pipeline.runner.progress import Progress, table
from fonoteka.pipeline.scheduler import Outcome, Schedule, Step


def test_the_stage_above_the_longest_chain_goes_first():
    steps = [
        Step("short"),
        Step("long"),
        Step("mid", ("long",)),
        Step("end", ("mid",)),
        Step("last"),
    ]
    schedule = Schedule(steps)
    assert schedule.ready() == ["long", "short", "last"]
    schedule.start("long")
    assert schedule.ready() == ["short", "last"]
    schedule.finish("long", Outcome.RAN)
    assert schedule.ready() == ["mid", "short", "last"]


def test_a_stage_that_takes_long_goes_before_a_longer_chain_of_quick_ones():
    steps = [Step("up"), Step("mid", ("up",)), Step("end", ("mid",)), Step("slow", seconds=240)]
    assert Schedule(steps).ready() == ["slow", "up"]


@pytest.mark.parametrize(
    ("above", "below"),
    [(Outcome.RAN, None), (Outcome.CACHED, None), (Outcome.UNCHANGED, "settled")],
)
def test_a_stage_that_is_not_stale_starts_only_below_one_that_changed_something(above, below):
    schedule = Schedule([Step("up"), Step("down", ("up",), stale=False)])
    schedule.start("up")
    schedule.finish("up", above)
    assert schedule.ready() == ([] if below else ["down"])
    assert schedule.outcomes.get("down") == (Outcome.UP_TO_DATE if below else None)


class Runner:
    name = "train@mlp"

    def elapsed_s(self):
        return 12.4

    def latest_line(self):
        return "epoch 3 [bold]"


def test_a_terminal_sees_each_stage_with_its_seconds_and_its_latest_line():
    screen = io.StringIO()
    with Progress(22, Console(file=screen, force_terminal=True, width=80)) as progress:
        progress.draw(3, [Runner()])
        progress.ended(4, "split", "done in 2.1 s")
    for text in (
        "3 of 22 stages done, 1 at work",
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
    with Progress(22, Console(file=pipe)) as progress:
        progress.draw(3, [Runner()])
        progress.ended(4, "split", "done in 2.1 s")
    assert pipe.getvalue() == "[ 4/22] split: done in 2.1 s\n"


@pytest.mark.parametrize("jobs", ["0", "-1", "two"])
def test_the_number_of_jobs_is_at_least_one(jobs, capsys):
    assert exit_code("repro", f"--jobs={jobs}") == 2
    assert "Invalid value for '--jobs'" in capsys.readouterr().err


def test_what_dvc_itself_has_to_say_is_kept():
    missing = "ERROR: failed to reproduce 'a': missing data 'source': in.txt"
    assert stage_process.without_noise(f"Running stage 'a':\n> cat in.txt\n{missing}\n") == missing


def test_a_stage_starts_the_python_that_runs_the_command(monkeypatch):
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert stage_process.path_of_this_python() == f"{folder}:/usr/bin"
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin")
    assert stage_process.path_of_this_python() == f"{folder}:/usr/bin"
