"""Processes of torchrun train what one process trains, and end together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml
from clip_maker import write_recipes
from finetune_maker import MASKED, plain, toy_run
from model_maker import CTC, toy_corpus
from stage_logs import events

from fonoteka.core.errors import UserError
from fonoteka.models.parallel import ranks as module
from fonoteka.models.parallel.ranks import ALONE, Ranks, one_process, training_processes

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[3]
STEPS = 50
# A loss is a float32 of about 3, with 2e-7 of rounding; Adam divides small gradients by their size,
# so a rounding error of a gradient can grow over steps.
TOLERANCE = 1e-5
# Without dropout, whose numbers are other ones in each process; masks are the same in all.
HEAD = replace(CTC, epochs=5, learning_rate=0.003, mask_fraction=0.2, frame_weight=0.5)
WORDS = replace(
    MASKED, steps=STEPS, batch=3, accumulate=2, learning_rate=0.001, valid_every=25,
    checkpoint_every=25,
)  # fmt: skip
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
# A stage in which rank 1 kills itself at the start of its third epoch.
KILLED = """
import os, signal, sys
from fonoteka.core.run_stage import stage
from fonoteka.models import loop
from stages.training.train.stage import main
run_epoch = loop.run_epoch
def killed(*args):
    if args[3] == 2 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return run_epoch(*args)
if "--kill" in sys.argv:
    sys.argv.remove("--kill")
    loop.run_epoch = killed
stage(main)
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A folder with the inputs of the stages `train` and `train_whisper`, and params.yaml."""
    folder = tmp_path_factory.mktemp("toy")
    toy_corpus(folder / "heads")
    (folder / "words").mkdir()
    toy_run(folder / "words")
    sections = {
        "compute": {"threads": 1, "device": "cpu"}, "ctc": asdict(HEAD),
        "train_whisper": asdict(WORDS),
    }  # fmt: skip
    (folder / "params.yaml").write_text(yaml.safe_dump(plain(sections)))
    write_recipes(folder)
    return folder


def head_command(out):
    places = ["heads/embeddings", "heads/train.jsonl", "heads/valid.jsonl"]
    places += [f"{out}/model", f"{out}/curves"]
    return ["toy", *places, "--head", "ctc", "--checkpoint", f"{out}/checkpoint"]


def words_command(out):
    places = [f"words/{name}" for name in ("base", "train.jsonl", "valid.jsonl", "audio")]
    return ["toy", *places, f"{out}/model", f"{out}/curves", "--checkpoint", f"{out}/checkpoint"]


def environment(out, **more):
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "FONOTEKA_LOGS": f"{out}/logs",
        "OMP_NUM_THREADS": "1",
        **more,
    }


def losses(toy, out, stage):
    """Return the losses of the steps in the log; rank 1 has a log without steps."""
    logs = (toy / out / "logs" / stage.rpartition(".")[2]).iterdir()
    lines = [[json.loads(line) for line in path.read_text().splitlines()] for path in logs]
    (logged,) = filter(None, (events(each, "step") for each in lines))  # one rank logs steps
    return [line["loss"] for line in logged]


def ran(toy, out, starter, stage, arguments):
    done = subprocess.run(
        [sys.executable, "-m", *starter, stage, *arguments],
        cwd=toy, env=environment(out), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["ctc", "whisper"])
def test_two_processes_have_the_loss_of_one_at_each_of_fifty_steps(kind, toy):
    stage = "stages.words.train_whisper" if kind == "whisper" else "stages.training.train"
    outputs = []
    for count, starter in ((1, ()), (2, TORCHRUN)):
        out = f"{kind}-{count}"
        arguments = words_command(out) if kind == "whisper" else head_command(out)
        text = ran(toy, out, starter, stage, arguments)
        assert text.count("valid loss" if kind == "whisper" else "epoch 1:") in (1, 3)
        outputs.append(losses(toy, out, stage))
        assert (toy / out / "model" / "model.safetensors").is_file()
    alone, together = outputs
    assert len(alone) == len(together) >= STEPS
    assert max(abs(a - b) for a, b in zip(alone, together, strict=True)) < TOLERANCE
    assert abs(alone[-1] - alone[0]) > 0.1  # it learns, so the losses differ between steps


def start(toy, rank, port, *arguments):
    """Start one of two ranks without torchrun, which would end the other one itself."""
    ranks = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    master = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, *head_command("killed"), *arguments],
        cwd=toy, env=environment("killed", **ranks, **master), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_dead_rank_ends_the_other_with_a_sentence_and_both_continue_later(toy):
    port = free_port()
    first, second = (start(toy, rank, port, "--kill") for rank in (0, 1))
    out, err = first.communicate(timeout=300)
    second.communicate(timeout=300)
    assert (first.returncode, second.returncode) == (1, -signal.SIGKILL)
    assert "error: rank 0 of 2: another process of this training ended or does not" in err
    assert "Traceback" not in err
    assert out.count("epoch") == 2
    port = free_port()
    pair = [start(toy, rank, port) for rank in (0, 1)]
    outputs = [each.communicate(timeout=300) for each in pair]
    assert [each.returncode for each in pair] == [0, 0], outputs
    assert [out.count("epoch") for out, _ in outputs] == [3, 0]  # rank 1 prints nothing
    assert not (toy / "killed" / "checkpoint").exists()


class FakeGroup:
    """Another rank, whose tensors are added; it stands for torch.distributed."""

    def __init__(self, *others):
        self.others = list(others)

    def all_reduce(self, tensor, operation=None):
        other = self.others.pop(0)
        tensor.copy_(torch.maximum(tensor, other) if operation else tensor + other)

    ReduceOp = torch.distributed.ReduceOp


def test_gradients_are_summed_and_an_unused_weight_keeps_none(monkeypatch):
    used, other, unused = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    used.grad = torch.tensor([1.0, 2.0])
    flags = torch.tensor([1.0, 1.0, 0.0])
    monkeypatch.setattr(module, "dist", FakeGroup(flags, torch.tensor([10.0, 20.0, 5.0, 6.0])))
    Ranks(0, 2, torch.device("cpu")).sum_gradients([used, other, unused])
    assert used.grad.tolist() == [11.0, 22.0]
    assert other.grad.tolist() == [5.0, 6.0]  # this rank had no item that uses it
    assert unused.grad is None


def test_ranks_take_the_most_parts_that_one_of_them_needs(monkeypatch):
    monkeypatch.setattr(module, "dist", FakeGroup(torch.tensor([5])))
    assert Ranks(0, 2, torch.device("cpu")).most(3) == 5
    assert ALONE.most(3) == 3


def test_ranks_with_other_inputs_are_refused(monkeypatch):
    ranks = Ranks(1, 2, torch.device("cpu"))
    monkeypatch.setattr(Ranks, "from_first", lambda self, compute: "aaaa")
    monkeypatch.setattr(Ranks, "sum", lambda self, value: value)
    ranks.agree("inputs", "aaaa")
    message = "differ in their inputs: rank 0 has aaaa, rank 1 has bbbb; start them in copies of"
    with pytest.raises(UserError, match=message):
        ranks.agree("inputs", "bbbb")


def test_a_stage_for_one_process_refuses_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="encoder: started in 2 processes, but it trains in one"):
        one_process("cpu", "encoder")


def test_without_torchrun_one_process_trains(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with training_processes("cpu") as ranks:
        assert ranks == ALONE
    assert one_process("auto", "encoder").count == 1
    monkeypatch.setenv("WORLD_SIZE", "two")
    with (
        pytest.raises(UserError, match="WORLD_SIZE is 'two'; expected a number, as torchrun"),
        training_processes("cpu"),
    ):
        pass


def test_processes_that_cannot_meet_are_one_sentence(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("MASTER_ADDR", "MASTER_PORT", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(UserError, match=r"rank 0 of 2: the processes do not find each other \("),
        training_processes("cpu"),
    ):
        pass
