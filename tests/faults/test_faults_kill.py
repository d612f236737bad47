"""One stage of each kind is killed once; the build ends in the bytes of one that was left alone.

Three are killed at the sight of a file, in the middle of their work; the others at a random point.
Stages such as `evaluate@mlp` and `evaluate@ensemble` run one command with several values; one of
them is killed, because with all 61 stages the kills took 18 minutes.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from clones import PYTHON, at_work, built, fresh, until
from dvc_yaml import pipeline

from fonoteka.pipeline.durations import read_durations
from fonoteka.pipeline.runner.repair_lock import repair_dvc_lock, repair_rwlock

pytestmark = [
    pytest.mark.faults,
    pytest.mark.pipeline,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux tells a child of its parent's death"
    ),
]

SEED = 20
REACH = 0.4  # how far into a stage a kill may come: by a faster machine it would be over before
# A checkpoint of the encoder, one of a head, and a folder that is half written.
SIGNS = {
    "encoder@wav2vec2": "checkpoints/encoder/wav2vec2/state.safetensors",
    "embed@wav2vec2": "data/embeddings/.wav2vec2.*.part",
    "train@wav2vec2_ctc": "checkpoints/train/wav2vec2_ctc/state.safetensors",
}
WITH_STAGE = {"encoder@wav2vec2", "train@wav2vec2_ctc"}  # dvc and the stage are killed at once


def targets():
    """Return the stages to kill: those of SIGNS, and one of each other kind."""
    kinds = {stage.partition("@")[0]: stage for stage in sorted(pipeline(), reverse=True)}
    return {*(kinds | {stage.partition("@")[0]: stage for stage in SIGNS}).values()}


def caught(process, clone, sign):
    """Stop a build in its tracks while a file that matches `sign` is there; return whether it was.

    Between the sight of a file and a kill the stage could succeed. So it is frozen first, and
    continues if it had the time to put its file in place.
    """
    if not any(clone.folder.glob(sign)):
        return False
    os.killpg(process.pid, signal.SIGSTOP)
    if any(clone.folder.glob(sign)):
        return True
    os.killpg(process.pid, signal.SIGCONT)
    return False


class Killer:
    """Starts builds and kills them while a stage runs on which it has its eye."""

    def __init__(self, clone, took) -> None:
        self.clone, self.took, self.targets = clone, took, targets()
        self.random = random.Random(SEED)
        self.log = clone.folder.with_suffix(".log")
        self.killed, self.repaired = [], 0
        self.output = []  # of each build, the last one included
        self.over = set()  # targets that ended before their kill

    def runs(self):
        """Return the stage that runs, by dvc's last message."""
        stages = re.findall(r"^Running stage '(.*)'", self.log.read_text(), flags=re.MULTILINE)
        return stages[-1] if stages else None

    def build(self, *words):
        """Start `dvc repro`; return whether it succeeded before anything was killed.

        A kill that meets dvc while it writes its lock file is made good as `make repro` does it.
        """
        self.repaired += repaired(self.clone.folder)
        with (
            self.log.open("w+") as out,
            self.clone.start(
                *PYTHON, "dvc", "repro", *words, stdout=out, stderr=subprocess.STDOUT
            ) as process,
        ):
            eyed, kill_time_s = None, 0.0
            while process.poll() is None:
                stage = self.runs()
                if stage != eyed:
                    self.over |= {eyed} & (self.targets - {*self.killed})
                    eyed, share = stage, self.random.uniform(0, REACH)
                    kill_time_s = time.monotonic() + share * self.took.get(stage, 0)
                waiting = eyed in self.targets and eyed not in self.killed
                if waiting and self.due(process, eyed, kill_time_s):
                    self.kill(process, eyed)
                time.sleep(0.005)
        until(lambda: not at_work(self.clone.folder), seconds=60)
        self.output.append(self.log.read_text())
        return process.returncode == 0

    def due(self, process, stage, kill_time_s):
        """Return whether a stage is to be killed now; one that has a sign is frozen then."""
        if stage in SIGNS:
            return caught(process, self.clone, SIGNS[stage])
        return time.monotonic() >= kill_time_s

    def kill(self, process, stage):
        """Kill dvc with its stage, or dvc alone: then the stage has to end by itself."""
        both = stage in WITH_STAGE if stage in SIGNS else len(self.killed) % 2 == 0
        with suppress(ProcessLookupError):
            (os.killpg if both else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(ProcessLookupError):  # what is left is no longer frozen, and has to end
            os.killpg(process.pid, signal.SIGCONT)
        if stage in SIGNS:
            assert any(self.clone.folder.glob(SIGNS[stage])), stage
        self.killed.append(stage)


def repaired(folder):
    """Make good what a killed dvc left half written; return whether there was anything."""
    return any([repair_rwlock(folder), repair_dvc_lock(folder)])


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    took = read_durations(built(tmp_path_factory)[0].folder)
    clone = fresh(tmp_path_factory, tmp_path_factory.mktemp("killed") / "druga mapa č")
    # By the shell of a machine that sets none: Debian's stays between dvc and the stage.
    clone.environment["SHELL"] = "/bin/sh"
    killer = Killer(clone, took)
    for _ in range(len(killer.targets) + 1):  # each start but the last ends in a kill
        if killer.build():
            break
    output = list(killer.output)
    missed = killer.over - {*killer.killed}
    for stage in sorted(missed):
        killer.build("--force", "--single-item", stage)
    print(
        f"{len(killer.killed)} kills, {killer.repaired} in the middle of dvc.lock, {missed} missed"
    )
    repaired(clone.folder)
    clone.dvc("repro")
    return clone, killer, missed, output


def test_a_stage_of_every_kind_was_killed_while_it_ran(story):
    _, killer, missed, _ = story
    assert {*killer.killed} | missed == killer.targets
    assert {stage.partition("@")[0] for stage in killer.targets} == {
        stage.partition("@")[0] for stage in pipeline()
    }
    assert len({*killer.killed}) >= 0.8 * len(killer.targets)  # a few end before their kill


def test_a_build_that_was_killed_in_every_stage_ends_in_the_bytes_of_an_undisturbed_one(
    story, tmp_path_factory
):
    assert (story[0] / "dvc.lock").read_bytes() == built(tmp_path_factory)[1]
    assert "up to date" in story[0].dvc("status")


def test_nothing_half_written_stays(story):
    clone = story[0]
    assert not list(clone.folder.rglob("*.part"))
    left = {path.name for path in (clone / "checkpoints").rglob("*") if path.is_file()}
    assert left <= {"log.jsonl"}  # of train_whisper, which keeps the times of its steps there


def test_a_killed_stage_continues_from_its_checkpoint(story):
    lines = {"encoder@wav2vec2": "step 10 of 20", "train@wav2vec2_ctc": "epoch 1: "}
    for stage, line in lines.items():
        killed, resumed = (story_of(stage, output) for output in story[3] if runs(stage, output))
        assert line in killed
        assert line not in resumed


def has_uncached_output(stage):
    """Return whether DVC's cache lacks an output, so that a lost lock entry means a run."""
    return any(
        isinstance(output, dict)
        and not all(options.get("cache", True) for options in output.values())
        for output in stage.get("outs", [])
    )


def runs(stage, output):
    return f"Running stage '{stage}'" in output


def story_of(stage, output):
    """Return what dvc printed from the start of a stage to the start of the next one."""
    return output.partition(f"Running stage '{stage}'")[2].partition("Running stage")[0]


def test_a_stage_that_was_done_is_not_done_again(story):
    _, killer, _, output = story
    times = {stage: sum(runs(stage, text) for text in output) for stage in pipeline()}
    assert {stage: times[stage] for stage in SIGNS} == dict.fromkeys(SIGNS, 2)
    # A kill in the middle of dvc.lock loses entries. The run-cache restores their stages, except
    # those with an output that it does not hold: licences, audit and compare.
    most = {
        name: 1 + (name in killer.killed) + killer.repaired * has_uncached_output(stage)
        for name, stage in pipeline().items()
    }
    assert not {name: count for name, count in times.items() if not 1 <= count <= most[name]}
