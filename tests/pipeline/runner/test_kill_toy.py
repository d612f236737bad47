"""A build that is killed in the middle of a stage ends in the bytes of one left alone.

Three stages on the code that all stages share; `tests/faults/test_faults_kill.py` kills real ones.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from clones import PYTHON, Clone, at_work, until
from dvc_yaml import TOP

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.torch,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux tells a child of its parent's death"
    ),
]

STAGES = """\
stages:
  clips: {cmd: python clips.py, deps: [clips.py], outs: [clips]}
  train: {cmd: python train.py, deps: [train.py, clips], outs: [model]}
  report: {cmd: python report.py, deps: [report.py, model], outs: [report.txt]}
"""
CLIPS = """\
from pathlib import Path

from fonoteka.core.run_stage import stage
from fonoteka.core.files import atomic_folder


def main():
    with atomic_folder(Path("clips")) as part:
        for number in range(4):
            (part / f"{number}.txt").write_text(f"{number / 4}\\n")


stage(main)
"""
# It keeps a checkpoint at half its steps, and stays in the middle of its output while it is held.
TRAIN = """\
import time
from pathlib import Path

import torch

from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.core.run_stage import stage
from fonoteka.core.files import atomic_folder


def main():
    torch.manual_seed(1)
    clips = torch.tensor([float(path.read_text()) for path in sorted(Path("clips").iterdir())])
    net = torch.nn.Linear(4, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    checkpoint = Checkpoint(Path("checkpoints/train"), fingerprint(clips.tolist()))
    for step in range(checkpoint.restore(net, optimizer) or 0, 20):
        optimizer.zero_grad()
        (net(clips + step) - 1).square().sum().backward()
        optimizer.step()
        print(f"step {step + 1} of 20")
        if step + 1 == 10:
            checkpoint.save(net, optimizer, 10)
    with atomic_folder(Path("model")) as part:
        (part / "weight.txt").write_text(f"{net.weight.tolist()}\\n")
        while Path("held").exists():
            time.sleep(0.02)
        (part / "bias.txt").write_text(f"{net.bias.tolist()}\\n")
    checkpoint.clear()


stage(main)
"""
REPORT = """\
from pathlib import Path

from fonoteka.core.run_stage import stage
from fonoteka.core.files import write_text


def main():
    write_text(Path("report.txt"), Path("model/bias.txt").read_text())


stage(main)
"""


def toy(folder: Path) -> Clone:
    """Return the three stages in a folder, as a repository of dvc without git."""
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    (folder / "dvc.yaml").write_text(STAGES)
    for name, text in (("clips", CLIPS), ("train", TRAIN), ("report", REPORT)):
        (folder / f"{name}.py").write_text(text)
    clone = Clone(folder)
    # By the shell of a machine that sets none: Debian's stays between dvc and the stage.
    clone.environment |= {"PYTHONPATH": str(TOP), "SHELL": "/bin/sh"}
    return clone


def killed(clone: Clone) -> str:
    """Start plain `dvc repro`, kill it, and not its stage, in the middle of `train`.

    Return what it printed. No process may stay; the half-written output and the checkpoint do.
    """
    (clone / "held").touch()
    log = clone.folder.with_suffix(".log")
    with (
        log.open("w+") as out,
        clone.start(*PYTHON, "dvc", "repro", stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        until(lambda: process.poll() is not None or half_written(clone), seconds=300)
        assert process.poll() is None, log.read_text()
        assert len(at_work(clone.folder)) > 1
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        try:
            until(lambda: not at_work(clone.folder), seconds=60)
        finally:  # a stage that continues is the fault that this test looks for
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert half_written(clone)
    assert not (clone / "model").exists()
    (clone / "held").unlink()
    return log.read_text()


def half_written(clone: Clone) -> list[Path]:
    return list(clone.folder.glob(".model.*.part/weight.txt"))


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Kill a build and let it end; build the same without a kill in another folder."""
    clone = toy(tmp_path_factory.mktemp("killed") / "druga mapa č")
    first = killed(clone)
    assert (clone / "checkpoints/train/state.safetensors").is_file()
    second = clone.dvc("repro")
    alone = toy(tmp_path_factory.mktemp("alone") / "fonoteka")
    alone.dvc("repro")
    return clone, alone, first, second


def test_a_killed_build_ends_in_the_lock_file_of_an_undisturbed_one(story):
    clone, alone, *_ = story
    assert (clone / "dvc.lock").read_bytes() == (alone / "dvc.lock").read_bytes()
    assert (clone / "report.txt").read_bytes() == (alone / "report.txt").read_bytes()


def test_nothing_that_was_half_written_stays(story):
    clone = story[0]
    assert not list(clone.folder.rglob("*.part"))
    assert not [path for path in (clone / "checkpoints").rglob("*") if path.is_file()]
    assert sorted(path.name for path in (clone / "model").iterdir()) == ["bias.txt", "weight.txt"]


def test_a_killed_stage_continues_from_its_checkpoint(story):
    *_, first, second = story
    assert "step 10 of 20" in first
    assert "step 10 of 20" not in second
    assert "step 11 of 20" in second


def test_a_stage_that_was_done_is_not_done_again(story):
    *_, first, second = story
    for stage, times in (("clips", 1), ("train", 2), ("report", 1)):
        assert (first + second).count(f"Running stage '{stage}'") == times, stage
