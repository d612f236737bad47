"""Packages of untrained models for the service, written by hand in milliseconds, without torch.

The phones of a recording are written into its samples: the mean of a frame of 20 ms is the label,
see `written_phones`. The Whisper writes one of `TEXTS`, by the highest sample of its input.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fonoteka.core.files import sha256_file, write_json
from fonoteka.packaging import CARD, PACKAGE, record
from fonoteka.phones import LABELS, NUMBER
from fonoteka.service.interfaces import ModelKind, ModelVersion
from fonoteka.whisper.conversion.tokens import letter_values

HOP = 320
BASE, STEP = 0.2, 100  # the label of a frame is (mean - BASE) * STEP
SURE, RATE = 0.9, 16_000
CHUNK = 2  # frames of a step of the stream's model
TEXTS = ("dobar dan", "jedan dva tri", "vidimo se sutra")
LANGUAGES = ("bs", "en", "hr", "sr")
WORDS = sorted({f" {word}" for text in TEXTS for word in text.split()})
END = len(WORDS)
START, FIRST_LANGUAGE = END + 1, END + 2
TRANSCRIBE, TRANSLATE, NO_TIMESTAMPS = (FIRST_LANGUAGE + len(LANGUAGES) + n for n in range(3))
TOKENS = NO_TIMESTAMPS + 1


def written_phones(phones: str, frames: int = 4, pause: int = 2) -> np.ndarray:
    """Return samples that the models read as `phones`, which are separated by spaces."""
    labels = [n for p in phones.split() for n in [NUMBER[p]] * frames + [0] * pause]
    levels = [BASE + label / STEP if label else 0.0 for label in labels]
    return np.repeat(np.float32(levels), HOP)


def save_samples(path: Path, samples: np.ndarray) -> Path:
    """Write a file of samples as `Job.audio` needs it."""
    samples.astype("<f4").tofile(path)
    return path


def phone_package(
    folder: Path, effort: int = 0, sure: float = SURE, max_s: int = 60
) -> ModelVersion:
    """Write a phone recogniser.

    Args:
        folder: of the package.
        effort: layers of a thousand units that do nothing but compute, 20 ms each per second.
        sure: probability of the best label; another one makes another version.
        max_s: longest input.
    """
    nodes, constants = _frames("samples", "log_probs", sure)
    if effort:
        more, weights = _burned("log_probs", "result", effort)
        nodes, constants = nodes + more, constants + weights
    result = "result" if effort else "log_probs"
    _save(
        folder / "model.onnx", nodes, constants,
        {"samples": (TensorProto.FLOAT, [1, "N"])},
        {result: (TensorProto.FLOAT, [1, "T", len(LABELS)])},
        {"labels": "\n".join(LABELS), "sample_rate_hz": str(RATE), "max_s": str(max_s)},
    )  # fmt: skip
    return _packaged(folder, ModelKind.PHONES)


def stream_package(folder: Path, sure: float = SURE) -> ModelVersion:
    """Write a recogniser for streams, with a look-ahead of one frame."""
    size = (CHUNK + 1) * HOP
    nodes, constants = _frames("samples", "all", sure)
    nodes += [
        helper.make_node("Split", ["all", "parts"], ["log_probs", "ahead"], axis=1),
        helper.make_node("Cast", ["frame"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["state", "number"], ["next_state"]),
    ]
    constants.append(_constant("parts", np.array([CHUNK, 1])))
    labels = len(LABELS)
    _save(
        folder / "step.onnx", nodes, constants,
        {"samples": (TensorProto.FLOAT, [1, size]), "frame": (TensorProto.INT64, []),
         "state": (TensorProto.FLOAT, [1])},
        {"log_probs": (TensorProto.FLOAT, [1, CHUNK, labels]),
         "ahead": (TensorProto.FLOAT, [1, 1, labels]), "next_state": (TensorProto.FLOAT, [1])},
        {"labels": "\n".join(LABELS), "sample_rate_hz": str(RATE), "before": "0",
         "chunk": str(CHUNK), "step_samples": str(size)},
    )  # fmt: skip
    return _packaged(folder, ModelKind.STREAM)


def words_package(folder: Path) -> ModelVersion:
    """Write a Whisper that writes the texts of `TEXTS`, each for sound of another level.

    The highest sample of 0.0 to 0.3 gives the first one, to 0.6 the second one, the others the
    third one. Every recording is Serbian to it.
    """
    floats, ids = TensorProto.FLOAT, TensorProto.INT64
    _save(
        folder / "encoder.onnx",
        [
            helper.make_node("Abs", ["samples"], ["levels"]),
            helper.make_node("ReduceMax", ["levels"], ["peak"], axes=[1]),
            helper.make_node("Unsqueeze", ["peak", "axis"], ["states"]),
            helper.make_node("Unsqueeze", ["states", "axis"], ["cross"]),
        ],
        [_constant("axis", np.array([1]))],
        {"samples": (floats, ["B", "N"])},
        {"states": (floats, ["B", 1, 1]), "cross": (floats, ["B", 1, 1, 1])},
        {},
    )
    table = np.full((len(TEXTS), 16), END)
    table[:, :4] = FIRST_LANGUAGE + LANGUAGES.index("sr")
    for row, text in enumerate(TEXTS):
        for place, word in enumerate(text.split()):
            table[row, 3 + place] = WORDS.index(f" {word}")
    _save(
        folder / "decoder.onnx", _decoder_nodes(),
        [
            _constant("table", table), _constant("depth", np.array(TOKENS)),
            _constant("on_off", np.float32([0, 10])), _constant("third", np.float32(1 / 0.3)),
            _constant("zero", np.float32(0)), _constant("most", np.float32(len(TEXTS) - 1)),
            _constant("axes", np.array([1, 2, 3])), _constant("outer", np.array([1, 3])),
            _constant("second", np.array([2])), _constant("one", np.array([1])),
            _constant("longest", np.array([15])),
        ],
        {"tokens": (ids, ["B", "T"]), "cross": (floats, ["B", 1, 1, 1]),
         "past": (floats, ["B", 1, "P", 1])},
        {"logits": (floats, ["B", TOKENS]), "next_past": (floats, ["B", 1, "Q", 1])},
        _rules(),
    )  # fmt: skip
    letters = {byte: letter for letter, byte in letter_values().items()}
    names = ["".join(letters[byte] for byte in word.encode()) for word in WORDS]
    vocabulary = {name: number for number, name in enumerate(names)}
    write_json(folder / "tokenizer.json", {"model": {"vocab": vocabulary}})
    return _packaged(folder, ModelKind.WORDS)


def models_folder(folder: Path) -> Path:
    """Write a model of each kind, each with a card, and return the folder."""
    for name, make in (
        ("whisper_package/tuned", words_package),
        ("whisper_ctc", phone_package),
        ("streaming", stream_package),
    ):
        model = folder / name
        model.mkdir(parents=True)
        make(model)
        (model / CARD).write_text("# A model of a test\n", encoding="utf-8")
        _record_files(model)
    return folder


def version_of(folder: Path, kind: ModelKind) -> ModelVersion:
    """Return the version of a package."""
    return ModelVersion(folder.name, sha256_file(folder / "package.json")[:12], kind, folder)


def _packaged(folder: Path, kind: ModelKind) -> ModelVersion:
    _record_files(folder)
    return version_of(folder, kind)


def _record_files(folder: Path) -> None:
    names = [path.name for path in folder.iterdir() if path.name != PACKAGE]
    write_json(folder / PACKAGE, {"files": record(folder, names)})


def _rules() -> dict[str, str]:
    rules = {
        "start": START, "end": END, "no_timestamps": NO_TIMESTAMPS, "suppressed": [],
        "suppressed_first": [], "first_timestamp": NO_TIMESTAMPS + 1,
        "languages": {code: FIRST_LANGUAGE + n for n, code in enumerate(LANGUAGES)},
        "tasks": {"transcribe": TRANSCRIBE, "translate": TRANSLATE},
    }  # fmt: skip
    return {name: json.dumps(value) for name, value in rules.items()}


def _decoder_nodes() -> list:
    """Read the next token from the table: its row is the text, its column the tokens so far."""
    make = helper.make_node
    return [
        make("Mul", ["cross", "third"], ["scaled"]),
        make("Floor", ["scaled"], ["floor"]),
        make("Clip", ["floor", "zero", "most"], ["clipped"]),
        make("Squeeze", ["clipped", "axes"], ["row_of"]),
        make("Cast", ["row_of"], ["row"], to=TensorProto.INT64),
        make("Gather", ["table", "row"], ["texts"]),
        make("Cast", ["tokens"], ["values"], to=TensorProto.FLOAT),
        make("Unsqueeze", ["values", "outer"], ["new"]),
        make("Concat", ["past", "new"], ["next_past"], axis=2),
        make("Shape", ["next_past"], ["shape"]),
        make("Gather", ["shape", "second"], ["count"]),
        make("Sub", ["count", "one"], ["place"]),
        make("Min", ["place", "longest"], ["column"]),
        make("Gather", ["texts", "column"], ["tokens_next"], axis=1),
        make("Squeeze", ["tokens_next", "one"], ["next"]),
        make("OneHot", ["next", "depth", "on_off"], ["logits"]),
    ]


def _frames(source: str, result: str, sure: float) -> tuple[list, list]:
    """Return nodes from samples `[1, N]` to log posteriors `[1, T, V]`, and their constants."""
    make = helper.make_node
    others = (1 - sure) / (len(LABELS) - 1)
    nodes = [
        make("Unsqueeze", [source, "channel"], ["wave"]),
        make("AveragePool", ["wave"], ["means"], kernel_shape=[HOP], strides=[HOP]),
        make("Squeeze", ["means", "channel"], ["mean"]),
        make("Sub", ["mean", "base"], ["above"]),
        make("Mul", ["above", "step"], ["numbers"]),
        make("Round", ["numbers"], ["rounded"]),
        make("Clip", ["rounded", "blank", "highest"], ["label"]),
        make("Cast", ["label"], ["label_id"], to=TensorProto.INT64),
        make("OneHot", ["label_id", "labels", "probabilities"], [result]),
    ]
    constants = [
        _constant("channel", np.array([1])), _constant("base", np.float32(BASE)),
        _constant("step", np.float32(STEP)), _constant("blank", np.float32(0)),
        _constant("highest", np.float32(len(LABELS) - 1)),
        _constant("labels", np.array(len(LABELS))),
        _constant("probabilities", np.log(np.float32([others, sure]))),
    ]  # fmt: skip
    return nodes, constants


def _burned(source: str, result: str, layers: int) -> tuple[list, list]:
    """Return nodes that compute for a while and add nothing, and their constants."""
    make, width = helper.make_node, 1000
    nodes = [make("MatMul", [source, "widen"], ["wide0"])]
    nodes += [make("MatMul", [f"wide{n}", "square"], [f"wide{n + 1}"]) for n in range(layers)]
    nodes += [
        make("ReduceMean", [f"wide{layers}"], ["mean_of_all"], axes=[2]),
        make("Mul", ["mean_of_all", "none"], ["nothing"]),
        make("Add", [source, "nothing"], [result]),
    ]
    constants = [
        _constant("widen", np.full((len(LABELS), width), 1e-3, np.float32)),
        _constant("square", np.full((width, width), 1e-3, np.float32)),
        _constant("none", np.float32(0)),
    ]
    return nodes, constants


def _constant(name: str, value: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


def _save(path: Path, nodes: list, constants: list, inputs: dict, outputs: dict, entries: dict):
    graph = helper.make_graph(
        nodes, "toy",
        [helper.make_tensor_value_info(name, *value) for name, value in inputs.items()],
        [helper.make_tensor_value_info(name, *value) for name, value in outputs.items()],
        constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
