"""Write the two files of a module, fp32 and int8, and prove what each of them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.manifest import Utterance
from fonoteka.models.numbers import round_up_pow10
from fonoteka.onnx_export.export import Array, Axes, check_parity, evenly_spaced, export, in_batches
from fonoteka.onnx_export.quantize import Int8Params, quantize
from fonoteka.onnx_export.session import open_model, session_posteriors
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors


@dataclass(frozen=True)
class OnnxParams:
    """Section `onnx`.

    Attributes:
        opset: of the files.
        max_error: largest difference of a log posterior from torch's.
        check_clips: test clips that parity is proven on.
        batch_sizes: in which they are heard.
        int8: what the int8 files have to be.
    """

    opset: int
    max_error: float
    check_clips: int
    batch_sizes: tuple[int, ...]
    int8: Int8Params


@dataclass(frozen=True)
class Kind:
    """Head or whole path: what it is exported from and what it hears.

    Attributes:
        module: in evaluation mode.
        axes: of the file.
        example: an input to trace.
        inputs: by utterance, without the batch axis.
        padded: a batch is filled with zeros to its longest clip, not cut to its shortest.
    """

    module: nn.Module
    axes: Axes
    example: Tensor
    inputs: Mapping[str, Array]
    padded: bool


def per(session: Any, utterances: Sequence[Utterance], inputs: Mapping[str, Array]) -> float:
    """Return the phone error rate of a file, each clip heard alone."""
    said = [greedy(session_posteriors(session, inputs[u.id][None])[0]) for u in utterances]
    return errors([u.phones for u in utterances], [[s.symbol for s in one] for one in said]).rate


def check_int8(
    files: Mapping[str, Path], path: Path, utterances: Sequence[Utterance],
    inputs: Mapping[str, Array], max_loss: float,
) -> dict[str, float]:  # fmt: skip
    """Return the phone error rates of both files of a kind.

    Args:
        files: the `fp32` and the `int8` file.
        path: where the int8 file will lie; it is only named in errors.
        utterances: the validation part: what is decided here must not be decided by the test part.
        inputs: of each utterance, without the batch axis.
        max_loss: what is allowed.

    Raises:
        ValueError: int8 is worse by more than that.
    """
    rates = {kind: per(open_model(file), utterances, inputs) for kind, file in files.items()}
    if rates["int8"] - rates["fp32"] > max_loss:
        raise UserError(
            f"{path}: PER {rates['int8']:.4f}, in fp32 {rates['fp32']:.4f}; at most {max_loss} "
            "worse is allowed (onnx.int8.max_per_loss in params.yaml)"
        )
    return {f"valid_per_{kind}": round(rate, 4) for kind, rate in rates.items()}


def ship(
    out: Path, kinds: Mapping[str, Kind], facts: Mapping[str, Any], parities: Sequence[Utterance],
    heard: Sequence[Utterance], params: OnnxParams,
) -> dict[str, Any]:  # fmt: skip
    """Write `<kind>.onnx` and `<kind>.int8.onnx` of all kinds; nothing unless all are proven.

    Args:
        out: the model's folder.
        kinds: by the name of the file: head, model.
        facts: model.json.
        parities: test clips on which an fp32 file has to say what torch says.
        heard: the validation part, for int8.
        params: what is allowed.

    Returns:
        What the report says: bytes, errors, int8.
    """
    report: dict[str, Any] = {"bytes": {}, "max_error_below": {}, "int8": {}}
    with ExitStack() as stack:
        for name, kind in kinds.items():
            path, small = out / f"{name}.onnx", out / f"{name}.int8.onnx"
            fp32, int8 = (stack.enter_context(atomic_file(file)) for file in (path, small))
            export(kind.module, kind.example, kind.axes, facts, fp32, params.opset)
            clips = {u.id: kind.inputs[u.id] for u in parities}
            batches = in_batches(clips, params.batch_sizes, kind.padded)
            worst = check_parity(path, open_model(fp32), kind.module, batches, params.max_error)
            ratio = quantize(fp32, int8, params.int8.max_size_ratio, small)
            files = {"fp32": fp32, "int8": int8}
            rates = check_int8(files, small, heard, kind.inputs, params.int8.max_per_loss)
            report["bytes"] |= {name: fp32.stat().st_size, f"{name}_int8": int8.stat().st_size}
            report["max_error_below"][name] = round_up_pow10(worst)
            report["int8"][name] = {"size_ratio": round(ratio, 3)} | rates
    return report | {"clips": len(parities), "batch_sizes": list(params.batch_sizes)}


def chosen(
    valid: Path, test: Path, params: OnnxParams
) -> tuple[list[Utterance], list[Utterance], dict[str, str]]:
    """Return the clips that parity is proven on, those that int8 is judged by, and their audio.

    Raises:
        ValueError: a part is empty.
    """
    parities = evenly_spaced(manifest.read(test), params.check_clips)
    heard = [u for u in manifest.read(valid) if u.phones]
    if not parities or not heard:
        raise UserError(f"{valid if parities else test}: no utterance to prove the export on")
    return parities, heard, {u.id: u.audio for u in [*parities, *heard]}
