"""Write the folder of one model: its package, a card for hubs, and what loads it.

    whisper            transformers reads it: weights, configuration, tokenizer; and the ONNX files
    other recognisers  the ONNX files, and load.py, which needs numpy and onnxruntime alone
    realtime           ONNX and RTNeural files, the front end, and load.py

package.json records all files of the folder, so `fonoteka transcribe --model FOLDER` verifies and
runs it too.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, write_json, write_text
from fonoteka.hub.hub_folder import MODEL, write_record
from fonoteka.hub.model_card import model_card
from fonoteka.hub.model_package import WHISPER, VerifiedPackage
from fonoteka.hub.params import HubParams
from fonoteka.hub.scores import HubScores
from fonoteka.packaging import CARD, PACKAGE, record

LOADER = "load.py"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
TORCH_FILES = (
    "config.json", "generation_config.json", WEIGHTS, "preprocessor_config.json", TOKENIZER,
    "tokenizer_config.json",
)  # fmt: skip
"""What transformers reads of a Whisper."""


def export_model(
    model: VerifiedPackage,
    models: Path,
    scores: HubScores,
    params: HubParams,
    data_id: str,
    out: Path,
) -> None:
    """Write the folder of a model.

    Args:
        model: a verified package.
        models: data/models, with the weights of a fine-tuned Whisper.
        scores: of the model.
        params: of the card.
        data_id: of the data set on a hub, or empty.
        out: the folder; replaced, so the caller checks it with `require_replaceable`.

    Raises:
        UserError: a file is missing or not the recorded one.
    """
    with atomic_folder(out) as part:
        for name in model.package["files"]:
            if name != CARD:
                shutil.copyfile(model.folder / name, part / name)
        if model.kind == WHISPER:
            _copy_torch_files(model, models / "whisper" / str(model.package["name"]), part)
        else:
            _copy_loader(part)
        write_text(part / CARD, model_card(model, scores, params, data_id))
        _write_package(model.package, part)
        write_record(part, MODEL, model.name)


def _copy_torch_files(model: VerifiedPackage, source: Path, part: Path) -> None:
    """Copy the weights and the files around them, if they are those of the exported ONNX files."""
    if missing := [name for name in TORCH_FILES if not (source / name).is_file()]:
        raise UserError(f"{source / missing[0]}: no such file; run dvc pull or dvc repro")
    expected: Mapping[str, Any] = model.package["lineage"]["sha256"]
    hashes = {WEIGHTS: expected[WEIGHTS], TOKENIZER: sha256_file(model.folder / TOKENIZER)}
    for name, digest in hashes.items():
        if sha256_file(source / name) != digest:
            raise UserError(
                f"{source / name}: not the file that {model.folder / PACKAGE} was made from; run "
                "dvc checkout or dvc repro"
            )
    for name in TORCH_FILES:
        shutil.copyfile(source / name, part / name)


def _copy_loader(part: Path) -> None:
    """Copy the loader, which is a module here so that it is checked as all others."""
    from fonoteka.hub import loader  # imports onnxruntime

    shutil.copyfile(loader.__file__, part / LOADER)


def _write_package(package: Mapping[str, Any], part: Path) -> None:
    names = [path.name for path in part.iterdir() if path.name != PACKAGE]
    write_json(part / PACKAGE, {**package, "files": record(part, names)})
