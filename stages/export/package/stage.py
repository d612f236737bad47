"""Package a model for its users: a model card, and the hash of every file.

    python -m stages.export.package data/models/mlp data/splits data/corpus/segments.parquet \
        reports/metrics/mlp.json reports/onnx/mlp.json --encoders data/models/encoder/wav2vec2 \
        --embeddings data/embeddings/wav2vec2

Reads   data/models/<name>/, data/splits/, segments.parquet, reports/metrics/<name>.json,
        reports/onnx/<name>.json, the folders of its encoders (with provenance.json) and of
        their embeddings
Writes  data/models/<name>/README.md     the model card, with the front matter that hubs read
        data/models/<name>/package.json  files, metrics, lineage, licence, encoder
Params  package

The card contains only values of package.json, so the two cannot differ. Labels have no file of
their own because model.json and the ONNX files contain them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json, write_text
from fonoteka.core.params import load
from fonoteka.lineage import PackageParams, corpora, licence_of, read_parts
from fonoteka.manifest import PARTS
from fonoteka.models.provenance import read_provenance
from fonoteka.packaging import CARD, PACKAGE, record
from stages.export.package.card import card

HEADLINES = ("per", "segment_accuracy", "top3", "balanced_accuracy", "ece")

MODEL_FILES = ("model.json", "model.onnx", "model.int8.onnx")
HEAD_FILES = ("model.safetensors", "head.onnx", "head.int8.onnx")
EXPORTED = {
    "head": "head.onnx", "model": "model.onnx", "head_int8": "head.int8.onnx",
    "model_int8": "model.int8.onnx",
}  # fmt: skip


def files_of(folder: Path, kind: str) -> tuple[str, ...]:
    """Return the names of the files of a model of a kind.

    Raises:
        ValueError: the folder contains another file, which would be published with the model.
    """
    wanted = MODEL_FILES if kind == "ensemble" else (*MODEL_FILES, *HEAD_FILES)
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if foreign := sorted(names - {*wanted, CARD, PACKAGE}):
        raise UserError(f"{folder}: {foreign} are not files of this model; move them elsewhere")
    return wanted


def check_sizes(folder: Path, files: Mapping[str, Any], exported: Path, sizes: Any) -> None:
    """Refuse ONNX files of another build than their report."""
    for key, name in EXPORTED.items():
        size = files[name]["bytes"] if name in files else None
        if sizes.get(key) != size:
            raise UserError(
                f"{exported}: states {sizes.get(key)} bytes for {folder / name}, found {size}; "
                "run dvc repro"
            )


def headline(metrics: Mapping[str, Any], exported: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores for a package; a score that was not measured is None."""

    def number(table: Mapping[str, Any], key: str) -> dict[str, Any]:
        return {
            "value": table.get(key), "low": table.get(f"{key}_low"),
            "high": table.get(f"{key}_high"),
        }  # fmt: skip

    int8 = metrics.get("int8")
    return {
        "test": {key: metrics[key] for key in ("speakers", "utterances", "phones", "synthetic")},
        **{key: number(metrics, key) for key in HEADLINES},
        "languages": {
            language: {key: number(table, key) for key in HEADLINES}
            for language, table in metrics["languages"].items()
        },
        "confusions": metrics.get("most_frequent_substitutions", [])[:10],
        "int8": {
            "test": {key: number(int8, key) for key in ("per", "difference")} if int8 else None,
            "valid": exported.get("int8", {}),
        },
        "parameters": exported.get("parameters", {}),
    }  # fmt: skip


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder.

    Raises:
        ValueError: the folder contains no files.
    """
    digests = {p.name: sha256_file(p) for p in sorted(folder.glob("[!.]*")) if p.is_file()}
    if not digests:
        raise UserError(f"{folder}: no files there; run dvc repro")
    return digests


def encoders_of(metadata: Mapping[str, Any]) -> list[str]:
    """Return the names of the encoders that a model uses."""
    members = metadata["members"] if metadata["kind"] == "ensemble" else [metadata]
    return sorted({member["encoder"] for member in members})


def used(names: Iterable[str], folders: Iterable[Path], option: str) -> dict[str, Path]:
    """Return the folders that a model uses, by name.

    An ensemble has chosen its members, so it may be given more folders than it uses.

    Raises:
        UserError: a folder that it uses was not given.
    """
    offered = {path.name: path for path in folders}
    if missing := sorted(set(names) - set(offered)):
        raise UserError(f"{option}: the model needs {missing}, given were {sorted(offered)}")
    return {name: offered[name] for name in names}


def run(
    model: Path, splits: Path, segments: Path, metrics: Path, exported: Path,
    encoder_folders: Sequence[Path], embeddings: Sequence[Path], params: PackageParams,
) -> None:  # fmt: skip
    """Write the card and the package of one model."""
    metadata, export_report = read_json(model / "model.json"), read_json(exported)
    files = record(model, files_of(model, metadata["kind"]))
    check_sizes(model, files, exported, export_report["bytes"])
    manifests = read_parts(splits)
    names = encoders_of(metadata)
    folders = used(names, encoder_folders, "--encoders")
    embedded = used(names, embeddings, "--embeddings")
    encoders = {name: read_provenance(folder) for name, folder in folders.items()}
    # Weights from a hub have a licence of their own, which limits that of the package.
    fetched = {e["fetched"]: e["licence"] for e in encoders.values() if e["fetched"]}
    package = {
        "name": metadata["name"], "kind": metadata["kind"], "encoder": encoders, "files": files,
        "labels": metadata["labels"], "sample_rate_hz": metadata["sample_rate_hz"],
        "frames_per_second": metadata["frames_per_second"],
        "languages": sorted({u.language for u in manifests["train"]}),
        "licence": licence_of(manifests, fetched, params),
        "lineage": {
            "manifests": {f"{p}.jsonl": sha256_file(splits / f"{p}.jsonl") for p in PARTS},
            segments.name: sha256_file(segments),
            "encoders": {name: hashes(folder) for name, folder in folders.items()},
            "embeddings": {name: hashes(folder) for name, folder in embedded.items()},
            "corpora": corpora(manifests),
            "training_data_sha256": metadata.get("training_data_sha256"),
            "members": metadata.get("members", []),
        },
        "metrics": headline(read_json(metrics), export_report),
    }  # fmt: skip
    write_text(model / CARD, card(package))
    write_json(model / PACKAGE, package | {"files": files | record(model, [CARD])})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "splits", "segments", "metrics", "exported"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--encoders", type=Path, nargs="+", required=True, dest="encoder_folders")
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    run(**vars(args), params=load("package", PackageParams))
