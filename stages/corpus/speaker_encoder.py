"""Get the weights of the speaker encoder, from a wheel or a folder; or random ones.

    python -m stages.corpus.speaker_encoder data/models/voices

Reads   nothing of the repository; the package index, or the folder `speaker_encoder.folder`
Writes  data/models/voices/: model.safetensors; provenance.json: source, what was fetched, SHA-256
        of model.safetensors, licence, who packed the weights
Params  speaker_encoder

Every source passes the same check, so that no later stage runs with weights of another network.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.voices.encoder_wheel import (
    PROJECT,
    EncoderPackageParams,
    fetch_weights,
    read_checkpoint,
)
from fonoteka.voices.voice_encoder import WEIGHTS, VoiceEncoder, with_weights

SOURCES = ("package", "folder", "untrained")
PACKED_BY = "Resemble AI, who trained the weights and published the wheel"
SEED = 0


@dataclass(frozen=True)
class SpeakerEncoderParams:
    """Section `speaker_encoder`.

    Attributes:
        source: package, folder, or untrained: random weights, to try out the pipeline.
        package: the pinned wheel.
        folder: with model.safetensors or pretrained.pt; empty unless it is the source.
    """

    source: str
    package: EncoderPackageParams
    folder: str


def run(out: Path, params: SpeakerEncoderParams) -> None:
    """Fetch, check and write the weights.

    Raises:
        UserError: the source is unknown or has no weights of this network.
    """
    fetched = licence = packed_by = None
    if params.source == "package":
        weights = fetch_weights(params.package)
        fetched, licence = f"{PROJECT}=={params.package.version}", params.package.licence
        packed_by = PACKED_BY
    elif params.source == "folder":
        weights = from_folder(params.folder)
    elif params.source == "untrained":
        weights = untrained()
    else:
        raise UserError(f"speaker_encoder.source must be one of {SOURCES}, got {params.source!r}")
    with_weights(weights, out)
    with atomic_folder(out) as part:
        # Not `save_file`: on a full disk it raises its own error, which is not an OSError.
        (part / WEIGHTS).write_bytes(save(weights, metadata={"format": "pt"}))
        record = {"source": params.source, "fetched": fetched, "licence": licence}
        digest = sha256_file(part / WEIGHTS)
        write_json(part / "provenance.json", record | {"packed_by": packed_by, "sha256": digest})


def from_folder(name: str) -> dict[str, Tensor]:
    """Return the weights in a folder.

    Raises:
        UserError: it is not a folder, or its file is missing or damaged.
    """
    folder = Path(name)
    if not name or not folder.is_dir():
        raise UserError(f"speaker_encoder.folder must be the folder of the weights, got {name!r}")
    if not (folder / WEIGHTS).is_file():
        return read_checkpoint(folder / "pretrained.pt")
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise UserError(f"{folder / WEIGHTS}: cannot be read: {error}") from error
    return weights


def untrained() -> dict[str, Tensor]:
    """Return weights that were never trained, the same on every machine.

    Those of the input are large, so that quiet mel powers change the result at all.
    """
    random = np.random.default_rng(SEED)
    return {
        name: torch.from_numpy(
            random.normal(0, 1.0 if name.endswith("ih_l0") else 0.1, value.shape).astype(np.float32)
        )
        for name, value in VoiceEncoder().state_dict().items()
    }


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    run(args.out, load("speaker_encoder", SpeakerEncoderParams))


if __name__ == "__main__":
    stage(main)
