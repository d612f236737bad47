"""A project with packaged models and clips for `export-hub`, without training anything.

The scores are those of this repository's reports; the model files are short texts.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clip_maker import noise, save_clips
from dvc_yaml import TOP

from fonoteka import manifest
from fonoteka.core.files import read_json, sha256_file, write_json
from fonoteka.packaging import CARD, PACKAGE, record
from fonoteka.tables import write_table

LICENCES = ("CC BY 4.0", "all rights reserved", "CC0")
SPEAKERS = ("mine/zora", "mine/ana", "mine/ivo")  # of train, valid, test
OPENAI = "openai/whisper-base@" + "e" * 40
CORPORA = [
    {"corpus": "embedded", "licence": "CC0", "synthetic": True,
     "clips": {"train": 8, "valid": 2, "test": 4}},
    {"corpus": "mine", "licence": "CC BY 4.0", "synthetic": False,
     "clips": {"train": 8, "valid": 2, "test": 1}},
    {"corpus": "more", "licence": "CC BY 4.0", "synthetic": False,
     "clips": {"train": 9, "valid": 0, "test": 0}},
]  # fmt: skip
LICENCE = {"weights": "Apache-2.0", "training_data": ["CC0"], "fetched_weights": {},
           "to_be_read": []}  # fmt: skip


def require_torchcodec() -> None:
    """Skip a test if datasets cannot read audio: it imports torchcodec, which loads FFmpeg's."""
    try:
        import torchcodec.encoders  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"torchcodec cannot be imported: {str(error).splitlines()[0]}")


def project(folder: Path) -> Path:
    """Write a project with four kinds of packages, their reports, and clips of three speakers."""
    (folder / ".dvc").mkdir(parents=True)
    shutil.copy(TOP / "params.yaml", folder / "params.yaml")
    reports = TOP / "reports"
    for name in ("metrics/wavlm_ctc.json", "words/tuned.json", "streaming.json", "realtime.json"):
        (folder / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(reports / name, folder / "reports" / name)
    models = folder / "data" / "models"
    per = read_json(reports / "metrics/wavlm_ctc.json")["per"]
    encoder = {"source": "hub", "fetched": "microsoft/wavlm-base@" + "a" * 40, "licence": None}
    write_package(
        models / "wavlm_ctc", "wavlm_ctc", "tdnn", ["model.onnx", "model.int8.onnx"],
        metrics={"per": {"value": per}}, encoder={"wavlm": encoder},
    )  # fmt: skip
    streaming = read_json(reports / "streaming.json")["models"]["stream_ctc"]["exact"]
    write_package(
        models / "streaming", "stream_ctc", "stream", ["step.onnx"],
        metrics={"per": streaming["per"]},
    )  # fmt: skip
    causal = read_json(reports / "realtime.json")["models"]
    scores = {name: {"metrics": {"score": model["score"]}} for name, model in causal.items()}
    write_package(models / "realtime", "realtime", "realtime", ["frontend.json"], models=scores)
    whisper(models)
    clips(folder / "data")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files below a folder by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def whisper(models: Path) -> None:
    """Write a packaged Whisper and the folder of its weights."""
    tuned = models / "whisper" / "tuned"
    tuned.mkdir(parents=True)
    names = ("config.json", "generation_config.json", "model.safetensors",
             "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json")  # fmt: skip
    for name in names:
        (tuned / name).write_text(f"{name} of tuned")
    rate = read_json(TOP / "reports/words/tuned.json")["tuned"]["wer"]["canonical"]["rate"]
    folder = models / "whisper_package" / "tuned"
    base = {"source": "hub", "fetched": OPENAI, "licence": "MIT"}
    write_package(
        folder, "tuned", "whisper", ["encoder.onnx", "decoder.onnx"],
        tokenizer=(tuned / "tokenizer.json").read_text(),
        metrics={"tuned": {"wer": {"canonical": {"rate": rate}}}},
        lineage={
            "corpora": CORPORA, "base": base,
            "sha256": {"model.safetensors": sha256_file(tuned / "model.safetensors")},
        },
    )  # fmt: skip


def write_package(
    folder: Path, name: str, kind: str, names: list[str], tokenizer: str = "", **more: object
) -> None:
    """Write a package whose card has a front matter and a section."""
    folder.mkdir(parents=True)
    for file in names:
        (folder / file).write_text(f"{file} of {name}")
    if tokenizer:
        (folder / "tokenizer.json").write_text(tokenizer)
    (folder / CARD).write_text(f"---\nlicense: x\n---\n\n# {name}\n\nIt recognises.\n\n## Limits\n")
    package = {
        "name": name, "kind": kind, "licence": LICENCE, "lineage": {"corpora": CORPORA},
        **({} if kind == "realtime" else {"languages": ["hr", "sr"]}), **more,
    }  # fmt: skip
    files = record(folder, [path.name for path in folder.iterdir()])
    write_json(folder / PACKAGE, package | {"files": files})


def clips(data: Path) -> None:
    """Write a clip of each of three people under three licences, and one of a synthetic voice."""
    names = {f"mine-{speaker.partition('/')[2]}-0a": speaker for speaker in SPEAKERS}
    signals = {name: noise(0.3 + n / 10, n) for n, name in enumerate([*names, "embedded-andy-1"])}
    rows = save_clips(data / "audio", signals)
    parts = {}
    for row, part, licence in zip(rows[:3], ("train", "valid", "test"), LICENCES, strict=True):
        values = vars(row) | {"speaker": names[row.id], "licence": licence, "source": "mine"}
        parts[part] = [manifest.Utterance(**values)]
    voice = vars(rows[3]) | {"speaker": "embedded/Andy", "synthetic": True, "source": "embedded"}
    parts["test"].append(manifest.Utterance(**voice))
    for part, utterances in parts.items():
        manifest.write(data / "splits" / f"{part}.jsonl", utterances)
    speakers = [{"speaker": name} for name in (*SPEAKERS, "embedded/Andy")]
    write_table(data / "splits" / "speakers.csv", ("speaker",), speakers)
    source = {"mine": "https://example.org/mine", "embedded": "espeak-ng"}
    cards = [
        {"name": name, "licence": "CC0", "source": text, "synthetic": name == "embedded"}
        for name, text in source.items()
    ]
    write_json(data / "corpus" / "corpora.json", cards)
