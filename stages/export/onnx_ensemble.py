"""Export the ensemble as one self-contained ONNX file: each encoder once, all heads, the mean.

Reads   data/models/ensemble/model.json, data/models/<member>, data/models/encoder/<encoder>,
        data/posteriors/ensemble, valid.jsonl, test.jsonl, data/audio
Writes  data/models/ensemble/model.onnx, model.int8.onnx, reports/onnx/ensemble.json
Params  onnx, compute

The file has the interface of the other end-to-end models: samples `[B, N]` to log posteriors
`[B, T, V]`. It is compared with torch, and with the posteriors that the ensemble was scored by: the
mean of those of the members' own files.
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
from fonoteka.models.clip_encoder import ClipEncoder, load_clip_encoder
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head
from fonoteka.models.numbers import parameter_count
from fonoteka.onnx_export.export import MODEL_AXES, Array, max_abs_diff
from fonoteka.shards import open_arrays, open_clips
from stages.export.export_pair import ExportSpec, OnnxParams, export_all, select_clips


class EnsembleModel(nn.Module):
    """The weighted mean of several heads' posteriors; heads of one encoder share its embeddings."""

    def __init__(
        self, encoders: Mapping[str, ClipEncoder], heads: Sequence[tuple[str, nn.Module, float]]
    ) -> None:
        """Take the encoders by name, and each member's encoder name, head and weight."""
        super().__init__()
        self.encoders = nn.ModuleDict({name: e.module for name, e in encoders.items()})
        longest = [e.max_samples for e in encoders.values() if e.max_samples]
        self.max_samples = min(longest, default=None)
        self.encoder_names = [name for name, _, _ in heads]
        self.heads = nn.ModuleList(head for _, head, _ in heads)
        self.log_weights = [math.log(weight) for _, _, weight in heads]

    def forward(self, samples: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of samples `[B, N]`."""
        embeddings = {name: encoder(samples) for name, encoder in self.encoders.items()}
        weighted = [
            head(embeddings[name]) + log_weight
            for name, head, log_weight in zip(
                self.encoder_names, self.heads, self.log_weights, strict=True
            )
        ]
        return torch.stack(weighted).logsumexp(0)


def build_ensemble(
    members: Sequence[Mapping[str, Any]], models: Sequence[Path], encoder_folders: Sequence[Path]
) -> EnsembleModel:
    """Return the ensemble in evaluation mode.

    Args:
        members: name, weight, encoder and weights_sha256 of each.
        models: folders that are named as the members.
        encoder_folders: folders that are named as the members' encoders.

    Raises:
        ValueError: a folder is missing, or a member is not the one that the weights were chosen
            for.
    """
    folders = {folder.name: folder for folder in [*models, *encoder_folders]}
    missing = {m[key] for m in members for key in ("name", "encoder")} - set(folders)
    if missing:
        raise UserError(
            f"the ensemble needs {sorted(missing)}, but --models and --encoders have "
            f"{sorted(folders)}; name the missing ones there in dvc.yaml"
        )
    encoders: dict[str, ClipEncoder] = {}
    heads = []
    for member in members:
        head, metadata = load_head(folders[member["name"]])
        if metadata["weights_sha256"] != member["weights_sha256"]:
            raise UserError(
                f"{folders[member['name']]}: not the model that the ensemble's "
                "weights were chosen for; run dvc repro"
            )
        folder = folders[member["encoder"]]
        if folder.name not in encoders:
            encoders[folder.name] = load_clip_encoder(folder)
        heads.append((folder.name, head, float(member["weight"])))
    return EnsembleModel(encoders, heads).eval()


def check_scored(
    module: EnsembleModel, parities: Sequence[Utterance], signals: Mapping[str, Array],
    posteriors: Path, max_error: float,
) -> None:  # fmt: skip
    """Compare the ensemble with the posteriors that it was scored by.

    Those come from the members' head files on embeddings; here the encoders are in the same graph.

    Raises:
        ValueError: a log posterior differs by more than `max_error` on either side, or a decoded
            symbol differs.
    """
    scored = open_arrays(posteriors, [u.id for u in parities])
    for u in parities:
        with torch.inference_mode():
            log_probs = module(torch.from_numpy(signals[u.id])[None])[0].numpy()
        max_abs_diff(
            scored[u.id],
            log_probs,
            2 * max_error,
            f"{posteriors}: {u.id}",
            "the mean of its members",
        )


def run(
    ensemble: Path, models: list[Path], encoder_folders: list[Path], posteriors: Path,
    valid: Path, test: Path, audio: Path, report: Path, params: OnnxParams,
) -> None:  # fmt: skip
    """Export and check the ensemble."""
    metadata = read_json(ensemble / "model.json")
    module = build_ensemble(metadata["members"], models, encoder_folders)
    parities, scored, clips = select_clips(valid, test, params)
    signals = open_clips(audio, clips)
    check_scored(module, parities, signals, posteriors, params.max_error)
    if module.max_samples:
        metadata |= {"max_s": module.max_samples // SAMPLE_RATE_HZ}
    expected = open_arrays(posteriors, [u.id for u in scored])
    example = torch.zeros(2, SAMPLE_RATE_HZ)
    spec = ExportSpec(module, MODEL_AXES, example, signals, False, expected)
    report_entries = export_all(ensemble, {"model": spec}, metadata, parities, scored, params)
    counts = {"head": parameter_count(module.heads), "encoder": parameter_count(module.encoders)}
    write_json(report, report_entries | {"parameters": counts})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, nargs="+", required=True)
    parser.add_argument("--encoders", type=Path, nargs="+", required=True, dest="encoder_folders")
    for name in ("ensemble", "posteriors", "valid", "test", "audio", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("onnx", OnnxParams))


if __name__ == "__main__":
    stage(main)
