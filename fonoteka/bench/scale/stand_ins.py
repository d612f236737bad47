"""Make what stages need and trainings would give: an encoder and a head of random weights.

    python -m fonoteka.bench.scale.stand_ins models FOLDER [--size tiny|full]
    python -m fonoteka.bench.scale.stand_ins segments FOLDER

Writes  FOLDER/data/models/encoder/wavlm, FOLDER/data/models/wavlm_ctc/head.onnx, model.json
        FOLDER/reports/onnx/wavlm_ctc.json: the report of an export, without sizes
        FOLDER/data/corpus/segments.parquet: phones of valid and test, of equal length in a clip

Time does not depend on the values of weights. This is a process of its own, because the one that
measures must stay small: its children begin with its memory.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from fonoteka import manifest
from fonoteka.bench.scale.stage_commands import (
    ENCODER,
    EXPORTED,
    MODEL,
    SEGMENTS,
    TEST,
    VALID,
)
from fonoteka.core.files import write_json
from fonoteka.core.params import PARAMS
from fonoteka.core.run_stage import run_command
from fonoteka.phones import LABELS

TINY = {
    "filters": 16, "conv_channels": 16, "hidden": 32, "layers": 1, "heads": 2, "intermediate": 32,
    "dropout": 0.0,
}  # fmt: skip
"""So small that the work around the network is most of a clip's time."""
SIZES = ("tiny", "full")


def write_models(folder: Path, size: str) -> None:
    """Write an encoder and a head that fits it.

    Args:
        folder: the project's.
        size: `tiny`, or `full` for the architecture in section `encoder` of params.yaml.
    """
    import torch

    from fonoteka.models.encoders import ArchitectureParams, feature_extractor, new_encoder
    from fonoteka.models.heads import TdnnShape, new_head
    from fonoteka.models.provenance import write_provenance
    from fonoteka.onnx_export.export import HEAD_AXES, export

    torch.manual_seed(1)
    values = TINY if size == "tiny" else _architecture(folder / PARAMS)
    architecture = ArchitectureParams(**values)
    encoder, model = folder / ENCODER, folder / MODEL
    new_encoder("wavlm", architecture).eval().save_pretrained(encoder)
    feature_extractor().save_pretrained(encoder)
    write_provenance(encoder, "pretrain")
    width = architecture.hidden
    head = new_head(TdnnShape(width, len(LABELS), 16, (1,), 0.0)).eval()
    metadata = {"labels": list(LABELS), "name": "stand-in", "sample_rate_hz": 16_000}
    model.mkdir(parents=True, exist_ok=True)
    export(head, torch.zeros(2, 9, width), HEAD_AXES, metadata, model / "head.onnx", 17)
    write_json(model / "model.json", {"labels": list(LABELS), "kind": "tdnn"})
    write_json(folder / EXPORTED, {"parameters": {}, "bytes": {}})


def _architecture(params: Path) -> dict[str, Any]:
    sections: Any = yaml.safe_load(params.read_text(encoding="utf-8"))
    return dict(sections["encoder"]["pretrain"]["architecture"])


def write_segments(folder: Path) -> None:
    """Write the segments of valid and test, as `align` does for clips without phone times."""
    import pandas as pd

    rows = []
    for part, path in (("valid", VALID), ("test", TEST)):
        for u in manifest.read(folder / path):
            step = u.duration_s / len(u.phones)
            rows += [
                (u.id, part, "phone", phone, step * n, step * (n + 1))
                for n, phone in enumerate(u.phones)
            ]
    columns = ["utterance", "part", "kind", "symbol", "start_s", "end_s"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / SEGMENTS, index=False)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["models", "segments"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    args = parser.parse_args()
    if args.what == "models":
        write_models(args.folder, args.size)
    else:
        write_segments(args.folder)


if __name__ == "__main__":
    run_command(main)
