"""Take the encoder half of Whisper as a frozen encoder for phones.

Reads   data/models/whisper_base
Writes  data/models/encoder/whisper/: config.json, model.safetensors, preprocessor_config.json,
        provenance.json of the whole model

The weights keep the precision in which they were released; `embed` and the exporter compute with
float32.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from transformers import WhisperForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.core.run_stage import stage
from fonoteka.models.provenance import copy_provenance

EXTRACTOR = "preprocessor_config.json"

disable_progress_bar()  # no progress bar for one local file


def run(source: Path, out: Path) -> None:
    """Write the encoder of the model in `source`.

    Raises:
        UserError: the folder has no complete Whisper model.
    """
    if not (source / EXTRACTOR).is_file():
        raise UserError(f"{source / EXTRACTOR}: missing; run dvc repro whisper_base")
    model, report = WhisperForConditionalGeneration.from_pretrained(
        source, output_loading_info=True, dtype="auto"
    )
    missing = sorted(key for key in report["missing_keys"] if ".encoder." in key)
    if missing:
        raise UserError(f"{source}: a model without {missing[0]!r}; expected a complete Whisper")
    with atomic_folder(out) as part:
        model.model.encoder.save_pretrained(part)
        shutil.copy(source / EXTRACTOR, part / EXTRACTOR)
        copy_provenance(source, part)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    stage(main)
