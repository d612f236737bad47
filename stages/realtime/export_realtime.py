"""Export one small model for RTNeural and ONNX Runtime, and check that both agree with torch.

Reads   data/realtime/models/<name>, data/realtime/streams, data/realtime/times.parquet
Writes  data/realtime/export/<name>/: <name>.json, <name>.onnx; reports/rtneural/<name>.json
Params  export_realtime, compute

The parity check runs step by step, as an audio thread does, over the frames of test streams one
after another: torch, the ONNX file, and an interpreter of the JSON that shares no code with the
exporter. It runs from a reset, and again after one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.causal import Stack
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.numbers import parameter_count, round_up_pow10
from fonoteka.models.store import load_stack
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful import export_stack
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.rtneural.export import export_model
from fonoteka.rtneural.parity import check_parity
from stages.realtime.parity_frames import parity_frames

Array = NDArray[np.float32]


@dataclass(frozen=True)
class ExportRealtimeParams:
    """Section `export_realtime`.

    Attributes:
        opset: of the ONNX files.
        steps: frames of the parity check, from a reset on.
        max_error: largest difference of an output, a probability, from torch's.
    """

    opset: int
    steps: int
    max_error: float

    def __post_init__(self) -> None:
        if self.steps < 1 or not self.max_error > 0:
            raise UserError(
                "export_realtime: steps and max_error must be above 0, found "
                f"{self.steps} and {self.max_error}; change them in params.yaml"
            )


@torch.inference_mode()
def torch_outputs(stack: Stack, frames: Array) -> Array:
    """Return the outputs `[T, O]`, one frame at a time."""
    state, rows = stack.initial_state(), []
    for frame in torch.from_numpy(frames):
        output, state = stack(frame[None, None], state)
        rows.append(output[0, 0].numpy())
    return np.stack(rows)


def check_graph(
    graph: Path, frames: Array, expected: Array, tolerance: float, file_name: str
) -> float:
    """Return the largest difference between an ONNX file and torch, over two runs from a reset.

    Raises:
        ValueError: it is above `tolerance`, or the second run has other outputs.
    """
    runner, outputs = StatefulSession(open_model(graph)), []
    for _ in range(2):
        runner.reset()
        outputs.append(np.concatenate([runner.run(frame[None]) for frame in frames]))
    worst = float(np.abs(outputs[0] - expected).max())
    if not worst <= tolerance:
        raise UserError(
            f"{file_name}: max abs error {worst:.2e} within {len(frames)} steps; "
            f"allowed is {tolerance}"
        )
    if not np.array_equal(outputs[0], outputs[1]):
        raise UserError(f"{file_name}: its outputs differ after a reset")
    return worst


def run(
    model: Path, streams: Path, times: Path, out: Path, report: Path, params: ExportRealtimeParams
) -> None:
    """Export and check one model."""
    stack, metadata = load_stack(model)
    name, inputs = metadata["name"], metadata["shape"]["inputs"]
    frames = parity_frames(streams, times, params.steps)
    graph_metadata = {
        "labels": "\n".join(metadata["labels"]), "name": name,
        "weights_sha256": metadata["weights_sha256"],
    }  # fmt: skip
    with atomic_folder(out) as folder:
        document, graph = folder / f"{name}.json", folder / f"{name}.onnx"
        document.write_text(export_model(stack, inputs).text, encoding="utf-8")
        export_stack(stack, inputs, graph_metadata, graph, params.opset)
        expected, tolerance = torch_outputs(stack, frames), params.max_error
        worst = {
            "onnx": check_graph(graph, frames, expected, tolerance, graph.name),
            "rtneural": check_parity(
                document.read_bytes(), frames, expected, tolerance, document.name
            ),
        }
        sizes = {"json": document.stat().st_size, "onnx": graph.stat().st_size}
    write_json(
        report,
        {
            "steps": params.steps,
            "max_error_below": {k: round_up_pow10(v) for k, v in worst.items()},
            "bytes": sizes, "parameters": parameter_count(stack),
        },
    )  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "streams", "times", "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("export_realtime", ExportRealtimeParams))


if __name__ == "__main__":
    stage(main)
