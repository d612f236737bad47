"""Take Whisper's encoder with bounded context, for recognition while somebody speaks.

Reads   data/models/encoder/whisper
Writes  data/models/encoder/whisper_stream/: its lower layers, config.json with the shape of the
        stream, provenance.json
Params  stream_encoder

No weight is trained: the head learns what the encoder's frames mean with little future.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from fonoteka.core.files import atomic_folder
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.provenance import copy_provenance
from fonoteka.models.stream_encoder import StreamShape, save_stream_encoder

EXTRACTOR = "preprocessor_config.json"


def run(source: Path, out: Path, shape: StreamShape) -> None:
    """Write the encoder of a stream from the encoder in `source`."""
    with atomic_folder(out) as part:
        save_stream_encoder(source, part, shape)
        shutil.copy(source / EXTRACTOR, part / EXTRACTOR)
        copy_provenance(source, part)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    run(**vars(parser.parse_args()), shape=load("stream_encoder", StreamShape))


if __name__ == "__main__":
    stage(main)
