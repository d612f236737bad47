"""Time the five causal models as a host calls them, one hop per call, beside torch.

Reads   data/models/realtime, data/realtime/models/<name>
Params  bench.realtime
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench import report
from fonoteka.bench.timer import Array, Repeats, Times, measure_alone, timed_call
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.onnx_export import stateful_session
from fonoteka.onnx_export.session import open_model
from fonoteka.packaging import PACKAGE, verified
from fonoteka.realtime import frontend
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.reporting.machine import Demand, demanded, quantiles, require, times_as_fast

BASELINE = "torch_by_step"
MAX_ERROR = 1e-4
"""Both files of a model must compute the same; `realtime check` measures the difference."""


@dataclass(frozen=True)
class RealtimeLimits:
    """Limits of all five models together: the median of the ONNX files, at most."""

    max_ms_per_hop: float


@dataclass(frozen=True)
class RealtimeBenchParams:
    """Section `bench.realtime`.

    Attributes:
        seed: of the sound.
        repeats: how often to measure; a repetition is a hop.
        sla: the limits.
    """

    seed: int
    repeats: Repeats
    sla: RealtimeLimits


class TorchSteps:
    """A trained model in torch, one step per call."""

    def __init__(self, stack: Any) -> None:
        self.stack = stack
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first step."""
        self.state = self.stack.initial_state()

    def run(self, block: Array) -> Array:
        """Return the outputs `[T, O]` of a block of steps `[T, I]`."""
        import torch

        with torch.inference_mode():
            outputs, self.state = self.stack(torch.from_numpy(block)[None], self.state)
        return np.asarray(outputs[0].numpy(), dtype=np.float32)


def time_hops(
    graphs: Sequence[Path], folders: Sequence[Path], front_end: Path, signal: Signal,
    repeats: Repeats,
) -> dict[str, Times]:  # fmt: skip
    """Return the ms per hop of ONNX Runtime, torch and the front end.

    The models take turns hop after hop, as in a host, so that each finds the caches as the others
    left them. ONNX Runtime, torch and the front end take turns in rounds.

    Args:
        graphs: the ONNX file of each model.
        folders: the folder of each model, as the stage realtime writes it.
        front_end: its JSON file.
        signal: the input of a round, warm-up included, `[N]`.
        repeats: how often; a repetition is a hop.

    Returns:
        `onnx` and `torch` `[rounds, hops, models]`, `front_end` `[rounds, hops, 1]`.

    Raises:
        UserError: torch and ONNX Runtime compute different outputs.
    """
    import torch

    from fonoteka.models.store import load_stack

    torch.set_num_threads(1)
    end = FrontEnd.from_json(read_json(front_end))
    frames = [frame[None] for frame in end(signal)]
    blocks = list(signal[: len(frames) * end.params.hop].reshape(-1, end.params.hop))
    onnx: list[Any] = [stateful_session.StatefulSession(open_model(graph)) for graph in graphs]
    steps: list[Any] = [TorchSteps(load_stack(folder)[0]) for folder in folders]
    stream: Any = frontend.StreamingFrontEnd(end)
    rounds: dict[str, list[Times]] = {"onnx": [], "torch": [], "front_end": []}
    for _ in range(repeats.rounds):
        for model in (*onnx, *steps, stream):
            model.reset()
        times = {
            "onnx": hop_times([model.run for model in onnx], frames),
            "torch": hop_times([model.run for model in steps], frames),
            "front_end": hop_times([stream.push], blocks),
        }
        pairs = zip(times["onnx"][1], times["torch"][1], strict=True)
        worst = max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
        if not worst <= MAX_ERROR:
            raise UserError(f"the ONNX files are off by {worst:.1e} from torch; run `make repro`")
        for name in rounds:
            rounds[name].append(times[name][0][repeats.warmup :])
    return {name: np.stack(turns) for name, turns in rounds.items()}


def hop_times(
    functions: Sequence[Callable[[Array], Any]], inputs: Sequence[Array]
) -> tuple[Times, list[Any]]:
    """Return the ms of each call, `[hops, functions]`, and the results of the last hop."""
    times = np.zeros((len(inputs), len(functions)))
    results = [None] * len(functions)
    for hop, block in enumerate(inputs):
        for index, function in enumerate(functions):
            times[hop, index], results[index] = timed_call(function, block)
    return times, results


def run(bundle: Path, models: Path, params: RealtimeBenchParams) -> dict[str, Any]:
    """Return the report.

    Raises:
        UserError: an input is missing, or is not the file that was packaged.
    """
    names, repeats = sorted(TASKS), params.repeats
    folders = [models / name for name in names]
    require([bundle / PACKAGE, *(folder / "model.json" for folder in folders)])
    graphs = [verified(bundle, f"{name}.onnx") for name in names]
    front_end = verified(bundle, "frontend.json")
    hop_s = read_json(front_end)["hop"] / SAMPLE_RATE_HZ
    signal = synthetic_sound((repeats.warmup + repeats.repetitions) * hop_s, params.seed)
    measurement = measure_alone(time_hops, graphs, folders, front_end, signal, repeats)
    times = measurement.times_ms
    together = compare(times, slice(None))
    ms_per_hop = together["onnx"]["median_ms"]
    limit = Demand("realtime.ms_per_hop", ms_per_hop, params.sla.max_ms_per_hop, at_most=True)
    return measurement.conditions(repeats) | {
        "hop_ms": 1000 * hop_s,
        "models": {name: compare(times, slice(i, i + 1)) for i, name in enumerate(names)},
        "all_five": together,
        "front_end": quantiles(times["front_end"]),
        "sla": demanded((limit,)),
    }


def compare(times_ms: Mapping[str, Times], models: slice) -> dict[str, Any]:
    """Return the time per hop of some models together, in ONNX Runtime and in the baseline."""
    result: dict[str, Any] = {}
    for name, key in (("onnx", "onnx"), (BASELINE, "torch")):
        times = times_ms[key][:, :, models].sum(axis=2)
        medians = [quantiles(turn)["median_ms"] for turn in times]
        result[name] = quantiles(times) | {"round_medians_ms": medians}
    baseline = {BASELINE: result[BASELINE]["median_ms"]}
    return result | {"times_as_fast_as": times_as_fast(result["onnx"]["median_ms"], baseline)}


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows = [
        [name, row["onnx"]["median_ms"], row["onnx"]["p99_ms"], row[BASELINE]["median_ms"],
         row["times_as_fast_as"][BASELINE]]
        for name, row in [*result["models"].items(), ("all five", result["all_five"])]
    ]  # fmt: skip
    rows.append(["front end, numpy", *result["front_end"].values(), None, None])
    title = (
        f"realtime: one hop of {result['hop_ms']:g} ms per call on one core, ONNX Runtime, "
        f"{result['rounds']} x {result['repetitions']} hops with their state"
    )
    header = ["model", "median ms", "p99 ms", "torch by step ms", "x torch"]
    return report.page(title, header, rows)
