"""Find the folder of a Whisper model and open it, in ONNX Runtime or in torch.

The folder decides: an exported model has `decoder.onnx`, any other one is loaded by torch. Both
give the same text, but torch and transformers take 7 CPU seconds to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.git import project
from fonoteka.packaging import PACKAGE, recorded, verified
from fonoteka.whisper.decode import Recogniser
from fonoteka.whisper.onnx_session import open_whisper

DEFAULTS = ("whisper_package/tuned", "whisper/tuned")
"""Folders in data/models; the first one that exists is the default."""

EXPORTED = "decoder.onnx"
"""The file by which an exported model differs from one for torch."""

TUNED = "training.json"
"""The file by which a fine-tuned model for torch differs from the released weights."""


@dataclass(frozen=True)
class OpenedWhisper:
    """A model, and the input that it was trained on.

    Attributes:
        model: for `fonoteka.whisper.decode.recognise`.
        short: whether it was trained on inputs shorter than 30 s. The released weights repeat
            themselves on these; the stages export and package fine-tuned models alone.
    """

    model: Recogniser
    short: bool


def words_folder(model: str | None) -> Path:
    """Return the folder of a model: `model` if it is one, else that name in data/models.

    A name is looked for in data/models/whisper too; None is one of the `DEFAULTS`. All files of a
    package are verified.

    Raises:
        UserError: the folder does not exist, or a file differs from package.json.
    """
    models = project() / "data" / "models"
    if model is None:
        places = [models / name for name in DEFAULTS]
    else:
        places = [Path(model), models / "whisper" / model, models / model]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise UserError(
            f"no model {model or DEFAULTS[-1]!r}: {places[-1]} is not a folder; run make repro, or "
            "name the folder of a Whisper model with --model"
        )
    if (folder / PACKAGE).is_file():
        for name in sorted(recorded(folder)):
            verified(folder, name)
    return folder


def open_model_folder(folder: Path, int8: bool = False) -> OpenedWhisper:
    """Open the model of a folder.

    Args:
        folder: of an exported model, or of one for torch.
        int8: use the int8 files of an exported model.

    Raises:
        UserError: a file is missing or damaged, or there is no int8 file.
    """
    if (folder / EXPORTED).is_file():
        return OpenedWhisper(open_whisper(folder, int8), short=True)
    if int8:
        raise UserError(
            f"{folder}: no {EXPORTED}, so it has no int8 files; name an exported model such as "
            f"{DEFAULTS[0]} with --model, or leave --int8 out"
        )
    from fonoteka.whisper.model import load_whisper  # here because it takes 7 CPU seconds

    return OpenedWhisper(load_whisper(folder), short=(folder / TUNED).is_file())
