"""Packages of models that do not compute, and a project whose gates they pass."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml
from gate_maker import NO_MODELS

from fonoteka.core.files import write_json
from fonoteka.packaging import PACKAGE, record

MARKER = {"whisper_package/tuned": "decoder.onnx", "streaming": "step.onnx"}
REPORTS = {
    "streaming": "reports/streaming.json",
    "whisper_package/tuned": "reports/words/tuned.json",
}
NUMBERS = {"streaming": "streaming", "whisper_package/tuned": "words"}
CARD = "---\nlicense: mit\n---\n\n# {name}\n\nRecognises\nphones of {content}.\n\nMore.\n"


def package(models: Path, path: str = "whisper_ctc", content: str = "one", **entries) -> Path:
    """Write a package, in place of an earlier one, and return its folder."""
    folder = models / path
    folder.mkdir(parents=True, exist_ok=True)
    marker = MARKER.get(path, "model.onnx")
    (folder / marker).write_text(content)
    (folder / "README.md").write_text(CARD.format(name=path, content=content))
    manifest = {
        "languages": ["bs", "en"], "labels": ["a", "b"], "licence": {"weights": "Apache-2.0"},
        "files": record(folder, [marker, "README.md"]),
    }  # fmt: skip
    write_json(folder / PACKAGE, manifest | entries)
    return folder


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def number(path: str, limit: float = 0.1) -> dict:
    """Return an entry of section `gate` for the error rate of a package."""
    file = REPORTS.get(path, f"reports/metrics/{path}.json")
    return {"file": file, "key": "per", "direction": "lower", "limit": limit, "tolerance": 0.01}


def project(root: Path, paths: tuple[str, ...] = ("whisper_ctc",)) -> Path:
    """Write packages with reports, section `gate` and the lock file; return the models' folder."""
    models = root / "data" / "models"
    (root / ".dvc").mkdir()
    numbers = {f"{NUMBERS.get(path, path)}.per": number(path) for path in paths}
    write_gates(root, numbers)
    for path in paths:
        package(models, path)
        write_json(root / numbers[f"{NUMBERS.get(path, path)}.per"]["file"], {"per": 0.05})
    lock(root, paths)
    return models


def write_gates(root: Path, numbers: dict) -> None:
    section = {"gate": NO_MODELS | {"numbers": numbers}}
    (root / "params.yaml").write_text(yaml.safe_dump(section), encoding="utf-8")


def lock(root: Path, paths: tuple[str, ...], **changes: dict) -> None:
    """Write the lock file of packages and reports as they are now; `changes` are of stages."""
    stages = {"train": {"outs": [entry("data/weights", "0f")]}}
    for path in paths:
        report = number(path)["file"]
        folder = root / "data/models" / path
        whole = path in MARKER  # an output of dvc.yaml is a folder, or some files of it
        output = f"data/models/{path}" if whole else f"data/models/{path}/{PACKAGE}"
        digest = listed_md5(folder) if whole else md5(folder / PACKAGE)
        weights = entry("data/weights", "0f")
        stages[f"evaluate@{path}"] = {
            "deps": [weights], "outs": [entry(report, md5(root / report))],
        }  # fmt: skip
        stages[f"package@{path}"] = {"deps": [weights], "outs": [entry(output, digest)]}
    document = {"schema": "2.0", "stages": stages | changes}
    (root / "dvc.lock").write_text(yaml.safe_dump(document), encoding="utf-8")


def entry(path: str, digest: str) -> dict[str, str]:
    return {"path": path, "hash": "md5", "md5": digest}


def listed_md5(folder: Path) -> str:
    """Return dvc's name of a folder."""
    files = [{"md5": md5(path), "relpath": path.name} for path in sorted(folder.iterdir())]
    return hashlib.md5(json.dumps(files).encode()).hexdigest() + ".dir"
