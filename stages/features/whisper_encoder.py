"""Take the encoder half of Whisper as a frozen encoder for phones.

Reads   data/models/whisper_base
Writes  data/models/encoder/whisper/: config.json, model.safetensors, preprocessor_config.json,
        provenance.json of the whole model
Params  whisper_encoder

The last layers prepare what the decoder needs, which is words: a head on the fifth of base's six
layers makes fewer phone errors than one on the sixth, and a sixth of the work is saved. The weights
keep the precision in which they were released; `embed` and the exporter compute with float32.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from transformers import WhisperForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.provenance import copy_provenance

EXTRACTOR = "preprocessor_config.json"

disable_progress_bar()  # no progress bar for one local file


@dataclass(frozen=True)
class WhisperEncoderParams:
    """Section `whisper_encoder`.

    Attributes:
        layers: how many are kept, from the input; 0 for all.
    """

    layers: int


def run(source: Path, out: Path, params: WhisperEncoderParams) -> None:
    """Write the encoder of the model in `source`, or its first layers.

    Raises:
        UserError: the folder has no complete Whisper model, or its encoder has fewer layers.
    """
    if not (source / EXTRACTOR).is_file():
        raise UserError(f"{source / EXTRACTOR}: missing; run dvc repro whisper_base")
    model, report = WhisperForConditionalGeneration.from_pretrained(
        source, output_loading_info=True, dtype="auto"
    )
    missing = sorted(key for key in report["missing_keys"] if ".encoder." in key)
    if missing:
        raise UserError(f"{source}: a model without {missing[0]!r}; expected a complete Whisper")
    encoder = model.model.encoder
    available = len(encoder.layers)
    if not 0 <= params.layers <= available:
        raise UserError(
            f"whisper_encoder.layers is {params.layers}, and the encoder of {source} has "
            f"{available}; change it in params.yaml"
        )
    # The last normalisation is kept: it was trained behind the last layer, but what it rescales,
    # a head can rescale again.
    encoder.layers = encoder.layers[: params.layers or available]
    encoder.config.encoder_layers = len(encoder.layers)
    with atomic_folder(out) as part:
        encoder.save_pretrained(part)
        shutil.copy(source / EXTRACTOR, part / EXTRACTOR)
        copy_provenance(source, part)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    run(
        **vars(parser.parse_args()),
        params=load("whisper_encoder", WhisperEncoderParams),
    )


if __name__ == "__main__":
    stage(main)
