"""A build that is killed again and again ends in the bytes of one that nobody disturbed."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from clones import PYTHON, built, fresh, until

pytestmark = [
    pytest.mark.pipeline,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux tells a child of its parent's death"
    ),
]


def at_work(clone):
    """Return the numbers of the processes that work in a clone; the dead have no folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == clone.folder:
                found.append(process.name)
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return found


def caught(process, clone, sign):
    """Stop a build in its tracks while a file that matches `sign` is there; return whether it was.

    Between the sight of a file and a kill the stage could end well: it is frozen first, and let go
    on where it had the time to put its file in place.
    """
    if not any(clone.folder.glob(sign)):
        return False
    os.killpg(process.pid, signal.SIGSTOP)
    if any(clone.folder.glob(sign)):
        return True
    os.killpg(process.pid, signal.SIGCONT)
    return False


def killed(clone, sign, kill):
    """Start plain `dvc repro`, kill it when a file that matches `sign` is there; return its words.

    It has to leave that file, its lock and its temporary files behind, and no process.
    """
    log = clone.folder.with_suffix(".log")
    with (
        log.open("w+") as out,
        clone.start(*PYTHON, "dvc", "repro", stdout=out, stderr=subprocess.STDOUT) as process,
    ):
        until(lambda: caught(process, clone, sign) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        kill(process.pid, signal.SIGKILL)
        process.wait()
        with suppress(ProcessLookupError):  # what is left is no longer frozen, and has to end
            os.killpg(process.pid, signal.SIGCONT)
        until(lambda: not at_work(clone), seconds=60)
    assert any(clone.folder.glob(sign))
    return log.read_text()


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Kill one build by plain dvc, in another folder, three times, then let it end."""
    clone = fresh(tmp_path_factory, tmp_path_factory.mktemp("other") / "druga mapa č")
    # By the shell of a machine that sets none: Debian's stays between dvc and the stage.
    clone.environment["SHELL"] = "/bin/sh"
    said = [
        killed(clone, "checkpoints/backbone/wav2vec2/state.safetensors", os.killpg),
        killed(clone, "data/embeddings/.wav2vec2.*.part", os.kill),  # dvc alone, not its stage
        killed(clone, "checkpoints/train/wav2vec2_ctc/state.safetensors", os.killpg),
        clone.dvc("repro"),
    ]
    return clone, said


def test_a_killed_build_ends_in_the_lock_file_of_an_undisturbed_one(story, tmp_path_factory):
    # Undisturbed by the runner, two stages at a time, in another folder and with another cache.
    assert (story[0] / "dvc.lock").read_bytes() == built(tmp_path_factory)[1]


def test_nothing_that_was_half_written_stays(story):
    clone = story[0]
    assert not list(clone.folder.rglob("*.part"))
    assert not [path for path in (clone / "checkpoints").rglob("*") if path.is_file()]


def test_a_killed_stage_goes_on_from_its_checkpoint(story):
    backbone, embed, train, rest = story[1]
    assert "Running stage 'backbone@wav2vec2'" in backbone
    assert "Running stage 'backbone@wav2vec2'" in embed
    assert "step 10 of 20" in backbone
    assert "step 10 of 20" not in story_of("backbone@wav2vec2", embed)
    assert "epoch 1: " in story_of("train@wav2vec2_ctc", train)
    assert "epoch 1: " not in story_of("train@wav2vec2_ctc", rest)


def story_of(stage, said):
    """Return what dvc said from the start of a stage to the start of the next one."""
    return said.partition(f"Running stage '{stage}'")[2].partition("Running stage")[0]


def test_a_stage_that_was_done_is_not_done_again(story):
    said = "".join(story[1])
    for stage, times in (("synthesize", 1), ("backbone@wav2vec2", 2), ("train@wav2vec2_ctc", 2)):
        assert said.count(f"Running stage '{stage}'") == times, stage
