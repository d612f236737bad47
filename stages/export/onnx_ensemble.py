"""Export the ensemble as one ONNX file that needs no other: each encoder once, all heads, the mean.

Reads   data/models/ensemble/model.json, data/models/<member>, data/models/backbone/<backbone>,
        data/posteriors/ensemble, valid.jsonl, test.jsonl, data/audio
Writes  data/models/ensemble/model.onnx, model.int8.onnx, reports/onnx/ensemble.json
Params  onnx, compute

The file has the interface of any other whole path: samples `[B, N]` to log posteriors `[B, T, V]`.
Beside the proof against torch, it has to say what the ensemble was scored by: the mean of what the
members' own files had said.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.encoders import feature_extractor, load_encoder
from fonoteka.models.heads import load_head
from fonoteka.models.numbers import parameter_count
from fonoteka.onnx_export.export import MODEL_AXES, Array, EncoderModule, max_abs_diff
from fonoteka.shards import read_arrays, read_clips
from stages.export.export_pair import Kind, OnnxParams, chosen, ship


class Fused(nn.Module):
    """The weighted mean of several heads' posteriors; heads of one encoder share its embeddings."""

    def __init__(
        self, listeners: Mapping[str, EncoderModule], heads: Sequence[tuple[str, nn.Module, float]]
    ) -> None:
        """Take the encoders by name and, of each member, its encoder's name, head and weight."""
        super().__init__()
        self.listeners = nn.ModuleDict(listeners)
        self.hears = [name for name, _, _ in heads]
        self.heads = nn.ModuleList(head for _, head, _ in heads)
        self.logs = [math.log(weight) for _, _, weight in heads]

    def forward(self, samples: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of samples `[B, N]`."""
        heard = {name: listener(samples) for name, listener in self.listeners.items()}
        said = [
            head(heard[name]) + log
            for name, head, log in zip(self.hears, self.heads, self.logs, strict=True)
        ]
        return torch.stack(said).logsumexp(0)


def fused(
    members: Sequence[Mapping[str, Any]], models: Sequence[Path], backbones: Sequence[Path]
) -> Fused:
    """Return the ensemble, ready to use.

    Args:
        members: name, weight, backbone and weights_sha256 of each.
        models: folders that are named as the members.
        backbones: folders that are named as the members' encoders.

    Raises:
        ValueError: a folder is missing, or a member is not the one that the weights were chosen
            for.
    """
    folders = {folder.name: folder for folder in [*models, *backbones]}
    missing = {m[key] for m in members for key in ("name", "backbone")} - set(folders)
    if missing:
        raise UserError(f"the ensemble needs {sorted(missing)}, given are {sorted(folders)}")
    listeners: dict[str, EncoderModule] = {}
    heads = []
    for member in members:
        head, facts = load_head(folders[member["name"]])
        if facts["weights_sha256"] != member["weights_sha256"]:
            raise UserError(
                f"{folders[member['name']]}: not the model that the ensemble was weighed with; "
                "run dvc repro"
            )
        folder = folders[member["backbone"]]
        if folder.name not in listeners:
            normalised = bool(feature_extractor(folder).do_normalize)
            listeners[folder.name] = EncoderModule(load_encoder(folder), normalised)
        heads.append((folder.name, head, float(member["weight"])))
    return Fused(listeners, heads).eval()


def check_scored(
    module: Fused, parities: Sequence[Utterance], signals: Mapping[str, Array],
    posteriors: Path, max_error: float,
) -> None:  # fmt: skip
    """Compare the ensemble with the posteriors that it was scored by.

    Those are of the members' head files, on embeddings; here the encoders are in the same graph.

    Raises:
        ValueError: a log posterior differs by more than `max_error` on either way, or a decoded
            symbol does.
    """
    scored = read_arrays(posteriors, [u.id for u in parities])
    for u in parities:
        with torch.inference_mode():
            said = module(torch.from_numpy(signals[u.id])[None])[0].numpy()
        max_abs_diff(
            scored[u.id], said, 2 * max_error, f"{posteriors}: {u.id}", "its members together"
        )


def run(
    ensemble: Path, models: list[Path], backbones: list[Path], posteriors: Path, valid: Path,
    test: Path, audio: Path, report: Path, params: OnnxParams,
) -> None:  # fmt: skip
    """Export and prove the ensemble."""
    facts = read_json(ensemble / "model.json")
    module = fused(facts["members"], models, backbones)
    parities, heard, clips = chosen(valid, test, params)
    signals = dict(read_clips(audio, clips))
    check_scored(module, parities, signals, posteriors, params.max_error)
    kind = Kind(module, MODEL_AXES, torch.zeros(2, SAMPLE_RATE_HZ), signals, padded=False)
    found = ship(ensemble, {"model": kind}, facts, parities, heard, params)
    counts = {"head": parameter_count(module.heads), "encoder": parameter_count(module.listeners)}
    write_json(report, found | {"parameters": counts})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--backbones", type=Path, nargs="+", required=True)
    for name in ("ensemble", "posteriors", "valid", "test", "audio", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("onnx", OnnxParams))


if __name__ == "__main__":
    stage(main)
