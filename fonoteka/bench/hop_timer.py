"""Time small models hop by hop, in a fresh process that is tied to one core.

    python -m fonoteka.bench.hop_timer FOLDER

Reads   FOLDER/job.json: the files, how often; FOLDER/signal.npy: what is heard
Writes  FOLDER/times.npz: ms a hop, see `take_turns`; FOLDER/process.json

A hop is a call: a host can't wait for more. The models take turns hop after hop, as they do there,
so that each finds the caches as the others left them; ONNX Runtime, torch and the front end take
turns in rounds. Every state is carried on from hop to hop.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.bench.timer import TOP, Array, Pace, tie_to_one_core
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.run_stage import stage
from fonoteka.models.causal import Stack, State
from fonoteka.models.store import load_stack
from fonoteka.onnx_export import stateful_session
from fonoteka.onnx_export.session import open_model
from fonoteka.realtime import frontend
from fonoteka.realtime.frontend import FrontEnd

MAX_ERROR = 1e-4
"""What is compared must be the same models; by how much they differ is another report's."""

COLUMNS = 256
"""Of the matrix of the plain product."""

ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
Hop = Callable[[Array], Any]


@dataclass(frozen=True)
class Timed:
    """What came out.

    Attributes:
        times_ms: `onnx` and `torch` `[rounds, hops, models]`; `front_end` and `product`
            `[rounds, hops]`.
        cores: on which the process was allowed to run.
        modules: those loaded of numpy, onnxruntime, torch and transformers.
    """

    times_ms: dict[str, NDArray[np.float64]]
    cores: int
    modules: list[str]


def timed(
    graphs: Mapping[str, Path], models: Mapping[str, Path], front_end: Path, signal: Signal,
    products: int, pace: Pace,
) -> Timed:  # fmt: skip
    """Time models in a fresh process.

    Args:
        graphs: the ONNX file of each.
        models: the folder of each, as the stage realtime writes it.
        front_end: a `frontend.json`.
        signal: what is heard, `[N]`; a turn's hops, warm-up included.
        products: of the plain matrix product that is timed beside them.
        pace: how often; a repetition is a hop.

    Raises:
        ValueError: a file can't be run; the sentence is the child's own.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {n: [str(graphs[n].resolve()), str(models[n].resolve())] for n in graphs}
        write_json(
            folder / "job.json",
            {
                "files": files, "order": list(graphs), "front_end": str(front_end.resolve()),
                "products": products, "pace": asdict(pace),
            },
        )  # fmt: skip
        np.save(folder / "signal.npy", signal)
        done = subprocess.run(
            [sys.executable, "-m", "fonoteka.bench.hop_timer", name],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": str(TOP)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            said = done.stderr.strip().removeprefix("error: ") or f"exit code {done.returncode}"
            raise UserError(said)
        with np.load(folder / "times.npz") as times:
            return Timed(dict(times), **read_json(folder / "process.json"))


class Runner(Protocol):
    """What hears block by block."""

    def reset(self) -> None:
        """Forget what was heard."""

    def run(self, block: Array) -> Array:
        """Return the outputs `[T, O]` of a block of steps `[T, I]`, and remember them."""


class ByStep:
    """A trained model in torch, one step a call."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self.state: State = self.stack.initial_state()

    @torch.inference_mode()
    def run(self, block: Array) -> Array:
        """Return the outputs `[T, O]` of a block of steps `[T, I]`."""
        outputs, self.state = self.stack(torch.from_numpy(block)[None], self.state)
        return np.asarray(outputs[0].numpy(), dtype=np.float32)


def hops_ms(
    ways: Sequence[Hop], given: Sequence[Array], pace: Pace
) -> tuple[NDArray[np.float64], list[Any]]:
    """Return the ms of each call `[hops, ways]` after the warm-up, and what the last hop gave."""
    times = np.zeros((len(given), len(ways)))
    found: list[Any] = []
    for at, block in enumerate(given):
        found = []
        for number, way in enumerate(ways):
            start_ns = time.perf_counter_ns()
            found.append(way(block))
            times[at, number] = (time.perf_counter_ns() - start_ns) / 1e6
    return times[pace.warmup :], found


def take_turns(
    graphs: Sequence[Runner], stacks: Sequence[Runner], end: FrontEnd, signal: Signal,
    products: int, pace: Pace,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """Return the times of all ways in ms, as `Timed` has them.

    Raises:
        ValueError: torch and ONNX Runtime say other things.
    """
    frames = [frame[None] for frame in end(signal)]
    blocks = list(signal[: len(frames) * end.params.hop].reshape(-1, end.params.hop))
    matrix = np.full((-(-products // COLUMNS), COLUMNS), 0.5, np.float32)
    vectors = [np.full(COLUMNS, 0.5, np.float32)] * len(frames)
    stream = frontend.StreamingFrontEnd(end)
    rounds: dict[str, list[NDArray[np.float64]]] = {}
    for _ in range(pace.rounds):
        stream.reset()
        for runner in (*graphs, *stacks):
            runner.reset()
        onnx, said = hops_ms([graph.run for graph in graphs], frames, pace)
        steps, wanted = hops_ms([stack.run for stack in stacks], frames, pace)
        worst = max(float(np.abs(a - b).max()) for a, b in zip(said, wanted, strict=True))
        if not worst <= MAX_ERROR:
            raise UserError(f"the ONNX files are off by {worst:.1e} from torch; run `make repro`")
        heard, _ = hops_ms([stream.push], blocks, pace)
        product, _ = hops_ms([matrix.dot], vectors, pace)
        turn = {"onnx": onnx, "torch": steps, "front_end": heard[:, 0], "product": product[:, 0]}
        for name, times in turn.items():
            rounds.setdefault(name, []).append(times)
    return {name: np.stack(times) for name, times in rounds.items()}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    cores = tie_to_one_core()
    torch.set_num_threads(1)
    job = read_json(folder / "job.json")
    files = [job["files"][name] for name in job["order"]]
    times = take_turns(
        [stateful_session.StatefulSession(open_model(Path(graph))) for graph, _ in files],
        [ByStep(load_stack(Path(model))[0]) for _, model in files],
        FrontEnd.from_json(read_json(Path(job["front_end"]))),
        np.load(folder / "signal.npy"), job["products"], Pace(**job["pace"]),
    )  # fmt: skip
    np.savez(folder / "times.npz", **times)  # type: ignore[arg-type]
    watched = ("numpy", "onnxruntime", "torch", "transformers")
    loaded = [name for name in watched if name in sys.modules]
    write_json(folder / "process.json", {"cores": cores, "modules": loaded})


if __name__ == "__main__":
    stage(main)
