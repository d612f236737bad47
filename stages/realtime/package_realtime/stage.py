"""Package the five small models for a host: files to load, front end, scores and costs.

Reads   data/realtime/export/<name>, data/realtime/models/<name>/model.json, data/realtime/streams,
        data/realtime/times.parquet, data/realtime/frontend.json, data/splits,
        reports/realtime.json, reports/rtneural/<name>.json
Writes  data/models/realtime/: <name>.json, <name>.onnx, frontend.json, the C++ files of a host,
        README.md, package.json
Params  package_realtime, package

package.json contains the hash of every file and, per model, the values that a host needs before it
runs: sizes, the C++ type, the receptive field, the latency, the hops until it has settled, and the
settings of its decisions, chosen on validation streams.
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, sha256_file, write_json, write_text
from fonoteka.core.params import load
from fonoteka.lineage import LEARNED, PackageParams, corpora, licence_of, read_parts
from fonoteka.onnx_export.session import open_model
from fonoteka.packaging import CARD, PACKAGE, record
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.realtime.host_files import host_files
from fonoteka.rtneural.bounds import max_abs_logit
from fonoteka.rtneural.cost import model_cost, model_t
from fonoteka.rtneural.parity import settling_steps
from fonoteka.rtneural.validate import require_valid
from stages.realtime.package_realtime.decision_tuning import (
    DecisionEvaluator,
    DecisionGrid,
    decision_entry,
    labelled_streams,
)
from stages.realtime.package_realtime.page import page
from stages.realtime.parity_frames import parity_frames

FRONTEND = "frontend.json"
METRICS = (
    "metric", "score", "low", "high", "baseline", "latency_ms_p50", "latency_ms_p90", "languages",
    "sources",
)  # fmt: skip


@dataclass(frozen=True)
class PackageRealtimeParams:
    """Section `package_realtime`.

    Attributes:
        steps: frames of test streams on which a reset model is compared with one that runs on.
        starts: number of such starts.
        settling_tolerance: largest difference of outputs at which a reset model counts as
            settled.
        max_bytes: of the weights of all models as float32.
        decisions: the settings of decisions that are compared.
    """

    steps: int
    starts: int
    settling_tolerance: float
    max_bytes: int
    decisions: DecisionGrid


def model_entry(
    export: Path, metadata: Mapping[str, Any], metrics: Mapping[str, Any],
    parity: Mapping[str, Any], end: FrontEnd,
) -> dict[str, Any]:  # fmt: skip
    """Return one model's entry of package.json.

    Raises:
        ValueError: the files, the model, the parity report and the front end do not match.
    """
    name = export.name
    document_path, graph = export / f"{name}.json", export / f"{name}.onnx"
    document = require_valid(document_path.read_bytes(), document_path.name)
    largest_logit = max_abs_logit(document, end.max_abs_feature)
    cost, graph_metadata = (
        model_cost(document),
        open_model(graph).get_modelmeta().custom_metadata_map,
    )
    # The files come from three stages. A stale one would pass each check of its own stage.
    pairs = {
        "the name in model.json and that of its folder": (metadata.get("name"), name),
        "the name in the ONNX file and in model.json": (graph_metadata.get("name"), name),
        "the weights' hash in the ONNX file and in model.json": (
            graph_metadata.get("weights_sha256"), metadata["weights_sha256"],
        ),
        "the outputs and the labels": (cost.outputs, len(metadata["labels"])),
        "the inputs and the front end's bands": (cost.inputs, end.params.bands),
        "the bytes of the files and of those that were checked": (
            {"json": document_path.stat().st_size, "onnx": graph.stat().st_size}, parity["bytes"],
        ),
    }  # fmt: skip
    for description, (value, expected) in pairs.items():
        if value != expected:
            raise UserError(f"{name}: {description} differ: {value} and {expected}; run dvc repro")
    return {
        "labels": metadata["labels"], "event": metadata["event"],
        "threshold": metadata["threshold"],
        "delay_hops": metadata["delay_hops"],
        "max_abs_logit": None if largest_logit is None else math.ceil(largest_logit),
        "model_t": model_t(document), **asdict(cost), "weight_bytes": cost.weight_bytes,
        "parity": {key: parity[key] for key in ("steps", "max_error_below")},
        "metrics": {key: metrics[key] for key in METRICS},
        "weights_sha256": metadata["weights_sha256"],
        "training_data_sha256": metadata["training_data_sha256"],
    }  # fmt: skip


def check_size(models: Mapping[str, Mapping[str, Any]], limit: int) -> int:
    """Return the bytes of all weights.

    Raises:
        ValueError: they exceed the limit.
    """
    total = sum(int(model["weight_bytes"]) for model in models.values())
    if total > limit:
        raise UserError(
            f"the models' weights take {total} bytes, package_realtime.max_bytes allows {limit}; "
            "make train_realtime.models smaller in params.yaml"
        )
    return total


def check_sources(
    scores: Mapping[str, Mapping[str, Any]], corpora_of_data: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse scores on corpora that the test part does not have.

    Raises:
        ValueError: there are such scores, so it is unknown whether real speech was scored.
    """
    scored = {source for model in scores.values() for source in model["sources"]}
    test = {corpus["corpus"] for corpus in corpora_of_data if corpus["clips"]["test"]}
    if foreign := sorted(scored - test):
        raise UserError(
            f"the metrics contain scores on {foreign}, but the corpora of the test part are "
            f"{sorted(test)}; "
            "run dvc repro"
        )


def run(
    exports: Sequence[Path],
    models: Sequence[Path],
    parity_reports: Path,
    streams: Path,
    times: Path,
    frontend: Path,
    splits: Path,
    metrics: Path,
    out: Path,
    params: PackageRealtimeParams,
    licence: PackageParams,
) -> None:
    """Write the package."""
    manifests, scored = read_parts(splits), read_json(metrics)
    export_folders = {folder.name: folder for folder in exports}
    metadata = {folder.name: read_json(folder / "model.json") for folder in models}
    checked = {path.stem: read_json(path) for path in sorted(parity_reports.glob("*.json"))}
    if not set(export_folders) == set(metadata) == set(checked) == set(scored["models"]):
        raise UserError(
            f"exports of {sorted(export_folders)}, models {sorted(metadata)}, parity reports of "
            f"{sorted(checked)} and metrics of {sorted(scored['models'])} must be of the same "
            "models; run dvc repro"
        )
    check_sources(scored["models"], corpora(manifests))
    frames = parity_frames(streams, times, params.steps)
    labelled = labelled_streams(streams, times)
    end = FrontEnd.from_json(read_json(frontend))
    entries, documents = {}, {}
    for name, export in sorted(export_folders.items()):
        entries[name] = model_entry(
            export, metadata[name], scored["models"][name], checked[name], end
        )
        documents[name] = (export / f"{name}.json").read_bytes()
        entries[name]["settling_hops"] = settling_steps(
            documents[name], frames, params.settling_tolerance, params.starts
        )
        evaluator = DecisionEvaluator(
            metadata[name], export / f"{name}.onnx", labelled, end.hop_s,
            scored["tolerance_ms"] / 1000, params.decisions.max_change_hops,
        )  # fmt: skip
        entries[name]["decision"] = decision_entry(
            evaluator, params.decisions, metadata[name]["threshold"]
        )
    package: dict[str, Any] = {
        "name": "realtime", "kind": "realtime", "hop_ms": 1000 * end.hop_s,
        "frontend": asdict(end.params), "models": entries,
        "weight_bytes": check_size(entries, params.max_bytes),
        "macs_per_hop": sum(model["macs"] for model in entries.values()),
        "settling_tolerance": params.settling_tolerance,
        "test": {key: scored[key] for key in ("speakers", "hops", "synthetic", "tolerance_ms")},
        "licence": licence_of(manifests, {}, licence),
        "lineage": {
            "corpora": corpora(manifests), "training_parts": list(LEARNED),
            "manifests": {f"{p}.jsonl": sha256_file(splits / f"{p}.jsonl") for p in manifests},
            "times.parquet": sha256_file(times),
        },
    }  # fmt: skip
    with atomic_folder(out) as folder:
        for name, source in export_folders.items():
            for file in (f"{name}.json", f"{name}.onnx"):
                shutil.copyfile(source / file, folder / file)
        shutil.copyfile(frontend, folder / FRONTEND)
        for name, code in host_files(end, frontend.read_bytes(), entries, documents).items():
            write_text(folder / name, code)
        # The card is written from the other files' hashes, and its own hash is added afterwards.
        files = record(folder, [path.name for path in folder.iterdir()])
        write_text(folder / CARD, page(package | {"files": files}))
        write_json(folder / PACKAGE, package | {"files": files | record(folder, [CARD])})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("streams", "times", "frontend", "splits", "metrics", "out"):
        parser.add_argument(name, type=Path)
    for name in ("exports", "models"):
        parser.add_argument(f"--{name}", type=Path, nargs="+", required=True)
    parser.add_argument(
        "--parity-reports", type=Path, required=True, help="folder with a file per model"
    )
    args = parser.parse_args()
    run(
        **vars(args),
        params=load("package_realtime", PackageRealtimeParams),
        licence=load("package", PackageParams),
    )
