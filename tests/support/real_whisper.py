"""The folder of Whisper's real weights, for tests that need more than random ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def real_whisper() -> Path:
    """Return the folder of whisper-base in the layout of transformers, or skip the test."""
    folder = Path(os.environ.get("FONOTEKA_WHISPER_BASE", ROOT / "data/models/whisper_base"))
    if not (folder / "model.safetensors").is_file():
        pytest.skip("no weights: run the stage whisper_base or set FONOTEKA_WHISPER_BASE")
    return folder
