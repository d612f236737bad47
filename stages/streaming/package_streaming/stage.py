"""Package the streaming recogniser for its users: a model card, and the hash of every file.

Reads   data/streaming/<name>/step.onnx, data/streaming/confidence/<name>.json,
        data/models/phone_ngram, model.json and provenance.json of data/models/<name>, data/splits,
        reports/streaming.json, reports/onnx/stream_step.json
Writes  data/models/streaming/: step.onnx, confidence.json, phones.arpa, README.md, the model card,
        and package.json: files, metrics, lineage, licence
Params  package

`fonoteka listen` needs this folder alone. The card contains only values of package.json.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, sha256_file, write_json, write_text
from fonoteka.core.params import load
from fonoteka.lineage import PackageParams, corpora, licence_of, read_parts
from fonoteka.manifest import PARTS
from fonoteka.models.provenance import read_provenance
from fonoteka.packaging import CARD, CONFIDENCE, NGRAM, PACKAGE, STEP, record
from stages.streaming.package_streaming.card import card

POLICY = "exact"
METRICS = (
    "per", "offline_per", "equal_to_offline", "committed_changed", "erasure", "unstable_partials",
    "commit_lag_ms", "first_emission_ms", "streams", "speakers",
)  # fmt: skip


def metrics_of(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the scores of the recogniser, and those of the measure of its confidence.

    Raises:
        UserError: the report has none of it.
    """
    policies = report["models"].get(name, {})
    if POLICY not in policies:
        raise UserError(f"reports/streaming.json: no policy {POLICY!r} of {name}; run dvc repro")
    entry = policies[POLICY]
    measures = report["confidence"][name]
    chosen = next((key for key in sorted(measures) if measures[key]["chosen"]), None)
    scores = measures[chosen] if chosen else {"ece": {"value": None}, "nce": {"value": None}}
    return {
        "chunk_ms": report["chunk_ms"],
        **{key: entry[key] for key in METRICS},
        "confidence": {
            "measure": chosen, **{key: scores[key]["value"] for key in ("ece", "nce")},
        },
    }  # fmt: skip


def run(
    name: str, step: Path, confidence: Path, ngram: Path, model: Path, splits: Path,
    scored: Path, exported: Path, out: Path, params: PackageParams,
) -> None:  # fmt: skip
    """Write the package of one recogniser."""
    metadata, export_report = read_json(model / "model.json"), read_json(exported)
    # The report is of the file that was compared with torch; another one has not been checked.
    if (size := (step / STEP).stat().st_size) != export_report["bytes"]:
        raise UserError(
            f"{exported}: states {export_report['bytes']} bytes for {step / STEP}, found {size}; "
            "run dvc repro"
        )
    manifests, provenance = read_parts(splits), read_provenance(model)
    fetched = {provenance["fetched"]: provenance["licence"]} if provenance["fetched"] else {}
    encoder = read_json(model / "config.json")
    package = {
        "name": name, "kind": "stream", "labels": metadata["labels"],
        "sample_rate_hz": metadata["sample_rate_hz"],
        "frames_per_second": metadata["frames_per_second"],
        "languages": sorted({u.language for u in manifests["train"]}),
        "parameters": export_report["parameters"], "stream": encoder["stream"],
        "metrics": metrics_of(read_json(scored), name),
        "export": export_report,
        "licence": licence_of(manifests, fetched, params),
        "lineage": {
            "encoder": provenance, "corpora": corpora(manifests),
            "training_data_sha256": metadata["training_data_sha256"],
            "weights_sha256": metadata["weights_sha256"],
            "manifests": {f"{p}.jsonl": sha256_file(splits / f"{p}.jsonl") for p in PARTS},
        },
    }  # fmt: skip
    with atomic_folder(out) as part:
        calibration = confidence / f"{name}.json"
        if not calibration.is_file() or not (ngram / NGRAM).is_file():
            missing = ngram / NGRAM if calibration.is_file() else calibration
            raise UserError(f"{missing}: no such file; run dvc repro")
        sources = {STEP: step / STEP, CONFIDENCE: calibration, NGRAM: ngram / NGRAM}
        for file, source in sources.items():
            shutil.copyfile(source, part / file)
        files = record(part, sources)
        write_text(part / CARD, card(package | {"files": files}))
        write_json(part / PACKAGE, package | {"files": files | record(part, [CARD])})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    inputs = ("step", "confidence", "ngram", "model", "splits", "scored", "exported")
    for name in (*inputs, "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()), params=load("package", PackageParams))
