"""Write the two files of a module, fp32 and int8, and check the outputs of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
from fonoteka.onnx_export.export import Array, check_parity, evenly_spaced, export, in_batches
from fonoteka.onnx_export.quantize import Int8Params, quantize
from fonoteka.onnx_export.session import open_model, session_posteriors
from fonoteka.onnx_export.trace import Axes
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors


@dataclass(frozen=True)
class OnnxParams:
    """Section `onnx`.

    Attributes:
        opset: of the files.
        max_error: largest difference of a log posterior from torch's.
        check_clips: number of test clips for the parity check.
        batch_sizes: of its batches.
        int8: limits of the int8 files.
    """

    opset: int
    max_error: float
    check_clips: int
    batch_sizes: tuple[int, ...]
    int8: Int8Params


@dataclass(frozen=True)
class ExportSpec:
    """The module and inputs of one exported file: the head, or encoder and head.

    Attributes:
        module: in evaluation mode.
        axes: of the file.
        example: an input to trace.
        inputs: by utterance, without the batch axis.
        padded: a batch is padded with zeros to its longest clip, not cut to its shortest.
        expected: log posteriors `[T, V]` of validation clips in fp32, by utterance. They come
            from stored embeddings: the encoder is most of the work, and the parity check compares
            the fp32 file with them.
    """

    module: nn.Module
    axes: Axes
    example: Tensor
    inputs: Mapping[str, Array]
    padded: bool
    expected: Mapping[str, Array]


def per(utterances: Sequence[Utterance], log_probs: Iterable[Array]) -> float:
    """Return the phone error rate of log posteriors `[T, V]`, one array per utterance."""
    decoded = [[segment.symbol for segment in greedy(clip)] for clip in log_probs]
    return errors([u.phones for u in utterances], decoded).rate


def check_int8(
    file: Path, path: Path, utterances: Sequence[Utterance], spec: ExportSpec, max_loss: float
) -> dict[str, float]:
    """Return the phone error rates of a module in fp32 and of its int8 file.

    Args:
        file: the int8 file.
        path: where it will be, for errors.
        utterances: of the validation part, because the test part must not decide about a file.
        spec: inputs and expected posteriors of each utterance.
        max_loss: largest allowed increase of the PER.

    Raises:
        ValueError: int8 is worse by more than `max_loss`.
    """
    session = open_model(file)
    # Each clip is a batch of its own, because the scale of an int8 input is that of its batch.
    small = (session_posteriors(session, spec.inputs[u.id][None])[0] for u in utterances)
    rates = {
        "fp32": per(utterances, (spec.expected[u.id] for u in utterances)),
        "int8": per(utterances, small),
    }
    if rates["int8"] - rates["fp32"] > max_loss:
        raise UserError(
            f"{path}: PER {rates['int8']:.4f}, in fp32 {rates['fp32']:.4f}; at most {max_loss} "
            "worse is allowed (onnx.int8.max_per_loss in params.yaml)"
        )
    return {f"valid_per_{kind}": round(rate, 4) for kind, rate in rates.items()}


def export_all(
    out: Path, specs: Mapping[str, ExportSpec], metadata: Mapping[str, Any],
    parities: Sequence[Utterance], valid: Sequence[Utterance], params: OnnxParams,
) -> dict[str, Any]:  # fmt: skip
    """Write `<name>.onnx` and `<name>.int8.onnx` of all specs, or nothing if one check fails.

    Args:
        out: the model's folder.
        specs: by the name of the file: head, model.
        metadata: contents of model.json.
        parities: test clips on which an fp32 file must agree with torch.
        valid: clips of the validation part, for int8.
        params: section `onnx`.

    Returns:
        The entries of the report: bytes, errors, int8.
    """
    report: dict[str, Any] = {"bytes": {}, "max_error_below": {}, "int8": {}}
    # All files are moved into place when the stack closes, so a failed check leaves none behind.
    with ExitStack() as stack:
        for name, spec in specs.items():
            path, small = out / f"{name}.onnx", out / f"{name}.int8.onnx"
            fp32, int8 = (stack.enter_context(atomic_file(file)) for file in (path, small))
            export(spec.module, spec.example, spec.axes, metadata, fp32, params.opset)
            clips = {u.id: spec.inputs[u.id] for u in parities}
            batches = in_batches(clips, params.batch_sizes, spec.padded)
            worst = check_parity(path, open_model(fp32), spec.module, batches, params.max_error)
            limits = params.int8
            ratio = quantize(fp32, int8, limits.max_size_ratio, small, limits.fp32_nodes)
            rates = check_int8(int8, small, valid, spec, limits.max_per_loss)
            report["bytes"] |= {name: fp32.stat().st_size, f"{name}_int8": int8.stat().st_size}
            report["max_error_below"][name] = round_up_pow10(worst)
            report["int8"][name] = {"size_ratio": round(ratio, 3)} | rates
    return report | {"clips": len(parities), "batch_sizes": list(params.batch_sizes)}


def select_clips(
    valid: Path, test: Path, params: OnnxParams
) -> tuple[list[Utterance], list[Utterance], dict[str, str]]:
    """Return the clips of the parity check, those of the int8 check, and the audio of both.

    Raises:
        ValueError: a part is empty.
    """
    parities = evenly_spaced(manifest.read(test), params.check_clips)
    spoken = [u for u in manifest.read(valid) if u.phones]
    scored = evenly_spaced(spoken, params.int8.check_clips)
    if not parities or not scored:
        raise UserError(
            f"{valid if parities else test}: no utterance to check the export with; run dvc repro"
        )
    return parities, scored, {u.id: u.audio for u in [*parities, *scored]}
