"""Every stage is killed once, at a random point of it, and the build ends in the same bytes."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from clones import PYTHON, built, fresh, until
from imports import pipeline
from test_kill import at_work

pytestmark = [
    pytest.mark.faults,
    pytest.mark.pipeline,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux tells a child of its parent's death"
    ),
]

SEED = 20
REACH = 0.4  # how far into a stage a kill may come: by a faster machine it would be over before


def seconds(clone):
    """Return how long each stage took when nobody disturbed it, dvc's own start included."""
    said = (clone.folder.parent / "first.txt").read_text(encoding="utf-8")
    found = re.findall(r"\] (\S+): done in ([\d.]+) s", said)
    return {stage: float(took) for stage, took in found}


class Killer:
    """Starts builds and kills them while a stage runs on which it has its eye."""

    def __init__(self, clone, took) -> None:
        self.clone, self.took = clone, took
        self.random = random.Random(SEED)
        self.log = clone.folder.with_suffix(".log")
        self.killed, self.mended = [], 0
        self.over = set()  # stages that ended before their kill

    def runs(self):
        """Return the stage that runs, by what dvc said last."""
        said = re.findall(r"^Running stage '(.*)'", self.log.read_text(), flags=re.MULTILINE)
        return said[-1] if said else None

    def build(self, *words):
        """Start `dvc repro`; return whether it ended well before anything was killed.

        A kill that meets dvc while it writes its lock file is made good as `make repro` does it.
        """
        said = self.clone.run(*PYTHON, "stages.tools.lock_mend")
        self.mended += said != "dvc.lock is whole\n"
        with (
            self.log.open("w+") as out,
            self.clone.start(
                *PYTHON, "dvc", "repro", *words, stdout=out, stderr=subprocess.STDOUT
            ) as process,
        ):
            eyed, at = None, 0.0
            while process.poll() is None:
                stage = self.runs()
                if stage != eyed:
                    self.over |= {eyed} - {None, *self.killed}
                    eyed, share = stage, self.random.uniform(0, REACH)
                    at = time.monotonic() + share * self.took.get(stage, 0)
                if eyed and eyed not in self.killed and time.monotonic() >= at:
                    self.kill(process, eyed)
                time.sleep(0.02)
        until(lambda: not at_work(self.clone), seconds=60)
        return process.returncode == 0

    def kill(self, process, stage):
        """Kill dvc with its stage, or dvc alone: then the stage has to end by itself."""
        both = len(self.killed) % 2 == 0
        with suppress(ProcessLookupError):
            (os.killpg if both else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        self.killed.append(stage)


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    took = seconds(built(tmp_path_factory)[0])
    clone = fresh(tmp_path_factory, tmp_path_factory.mktemp("killed") / "fonoteka")
    killer = Killer(clone, took)
    for _ in range(len(took) + 1):  # each start but the last ends in a kill
        if killer.build():
            break
    missed = killer.over - {*killer.killed}
    for stage in sorted(missed):
        killer.build("--force", "--single-item", stage)
    print(f"{len(killer.killed)} kills, {killer.mended} in the middle of dvc.lock, {missed} missed")
    clone.run(*PYTHON, "stages.tools.lock_mend")
    clone.dvc("repro")
    return clone, killer, missed


def test_every_stage_was_killed_while_it_ran(story):
    _, killer, missed = story
    assert {*killer.killed} | missed == {*pipeline()}
    assert len({*killer.killed}) >= 0.8 * len(pipeline())  # a few end before their kill, each time


def test_a_build_that_was_killed_in_every_stage_ends_in_the_bytes_of_an_undisturbed_one(
    story, tmp_path_factory
):
    assert (story[0] / "dvc.lock").read_bytes() == built(tmp_path_factory)[1]
    assert "up to date" in story[0].dvc("status")


def test_nothing_half_written_stays(story):
    clone = story[0]
    assert not list(clone.folder.rglob("*.part"))
    assert not [path for path in (clone / "checkpoints").rglob("*") if path.is_file()]
