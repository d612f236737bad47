"""Export a Whisper model to ONNX, in fp32 and int8, and check what each file decodes.

Reads   data/models/whisper/<run>, valid.jsonl, test.jsonl, data/audio
Writes  data/models/whisper_onnx/<run>/encoder.onnx   samples at 16 kHz to states, keys and values
        data/models/whisper_onnx/<run>/decoder.onnx   tokens, keys and values to logits
        data/models/whisper_onnx/<run>/*.int8.onnx    the same with matrix products in int8
        data/models/whisper_onnx/<run>/tokenizer.json the bytes of each token
        reports/onnx/whisper_<run>.json               bytes, errors against torch, WER of int8
Params  compute, export_whisper

The fp32 files are checked on test clips of many lengths, alone and side by side: each log
probability of each decoding step is within a tolerance of torch's, and no decoded token differs.
Nothing is written unless that holds. An int8 file is less exact, and is left out if the word error
rate on the validation part is more than a limit above that of fp32; the report states both rates.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.numbers import parameter_count, round_up_pow10
from fonoteka.onnx_export.export import evenly_spaced
from fonoteka.shards import open_clips
from fonoteka.whisper.model import load_whisper
from fonoteka.whisper.onnx_check import CheckClip, batches_of, check_parity, word_error_rate
from fonoteka.whisper.onnx_export import export_whisper
from fonoteka.whisper.onnx_int8 import quantize_file, recipes
from fonoteka.whisper.onnx_session import PARTS, VOCABULARY, open_parts, open_whisper


@dataclass(frozen=True)
class WhisperInt8Params:
    """Limits of the int8 files.

    Attributes:
        check_clips: of the validation part, which the word error rates are of.
        max_wer_loss: the largest increase of the word error rate over fp32.
        parts: encoder or decoder; no other file is quantised, nor checked.
    """

    check_clips: int
    max_wer_loss: float
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := sorted({*self.parts} - {*PARTS}):
            raise UserError(
                f"export_whisper.int8.parts has {unknown[0]!r}; expected {' or '.join(PARTS)}"
            )


@dataclass(frozen=True)
class ExportWhisperParams:
    """Section `export_whisper`.

    Attributes:
        opset: of the files.
        max_error: largest difference of a log probability from torch's.
        check_clips: number of test clips for the parity check.
        batch_sizes: of its batches.
        int8: limits of the int8 files.
    """

    opset: int
    max_error: float
    check_clips: int
    batch_sizes: tuple[int, ...]
    int8: WhisperInt8Params


def check_clips(part: Path, audio: Path, count: int) -> list[CheckClip]:
    """Return clips of a part, evenly spaced from the shortest to the longest.

    Raises:
        UserError: the part is empty.
    """
    utterances = evenly_spaced([u for u in manifest.read(part) if u.normalized], count)
    if not utterances:
        raise UserError(f"{part}: no utterance to check the export with; run dvc repro")
    signals = open_clips(audio, {u.id: u.audio for u in utterances})
    return [CheckClip(u.id, u.language, u.normalized, signals[u.id]) for u in utterances]


def add_int8(
    folder: Path, clips: Sequence[CheckClip], max_loss: float, parts: Sequence[str]
) -> dict[str, Any]:
    """Write the int8 file of each part that decodes well enough, and return the report's entries.

    The decoder is first, because it has more bytes; the encoder is checked beside the decoder's
    int8 file, if there is one. The first recipe that passes is taken.
    """
    paths = {part: folder / f"{part}.onnx" for part in PARTS}
    rate = _rate(paths, folder, clips, 8)
    limit = rate + max_loss
    report: dict[str, Any] = {"valid_clips": len(clips), "valid_wer_fp32": round(rate, 4)}
    for part in (part for part in reversed(PARTS) if part in parts):
        # All recipes are compared with fp32 on both sides, so losses of the two parts add up to the
        # one limit.
        fp32, small = paths[part], folder / f"{part}.int8.onnx"
        tried: dict[str, dict[str, float]] = {}
        shipped = ""
        for name, keep in recipes(fp32).items():
            ratio = quantize_file(fp32, small, keep)
            worse = _rate(paths | {part: small}, folder, clips, 1)
            tried[name] = {"size_ratio": round(ratio, 3), "valid_wer": round(worse, 4)}
            if worse <= limit:
                paths[part], shipped = small, name
                break
            small.unlink()
        report[part] = {
            "tried": tried, "shipped": shipped or None,
            "reason": "" if shipped else _reason(tried, rate, max_loss),
        }  # fmt: skip
    return report


def _rate(paths: Mapping[str, Path], folder: Path, clips: Sequence[CheckClip], batch: int) -> float:
    model = open_parts(paths["encoder"], paths["decoder"], folder / VOCABULARY)
    return word_error_rate(model, clips, batch)


def _reason(tried: Mapping[str, Mapping[str, float]], fp32: float, max_loss: float) -> str:
    rates = ", ".join(f"{entry['valid_wer']:.4f} ({name})" for name, entry in tried.items())
    return (
        f"WER {rates}, {fp32:.4f} before; at most {max_loss} worse is allowed "
        "(export_whisper.int8.max_wer_loss in params.yaml)"
    )


def run(
    model: Path, valid: Path, test: Path, audio: Path, out: Path, report: Path,
    params: ExportWhisperParams,
) -> None:  # fmt: skip
    """Export and check one model."""
    whisper = load_whisper(model)
    parities = check_clips(test, audio, params.check_clips)
    scored = check_clips(valid, audio, params.int8.check_clips)
    with atomic_folder(out) as part:
        export_whisper(whisper, model.name, part, params.opset)
        shutil.copyfile(model / VOCABULARY, part / VOCABULARY)
        # Parity is measured on test clips; int8 on validation clips, because it is a choice.
        batches = list(batches_of(parities, params.batch_sizes))
        error = check_parity(str(out), open_whisper(part), whisper, batches, params.max_error)
        int8 = add_int8(part, scored, params.int8.max_wer_loss, params.int8.parts)
        sizes = {path.name: path.stat().st_size for path in sorted(part.iterdir())}
    entries = {
        "bytes": sizes, "max_error_below": round_up_pow10(error), "clips": len(parities),
        "batch_sizes": list(params.batch_sizes), "int8": int8,
        "parameters": parameter_count(whisper.model),
    }  # fmt: skip
    write_json(report, entries)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "valid", "test", "audio", "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("export_whisper", ExportWhisperParams))
