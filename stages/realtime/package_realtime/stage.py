"""Put the five small models together for a host: what it loads, what it hears by, what to expect.

Reads   data/realtime/export/<name>, data/realtime/models/<name>/model.json, data/realtime/streams,
        data/realtime/times.parquet, data/realtime/frontend.json, data/splits,
        reports/realtime.json, reports/rtneural/<name>.json
Writes  data/models/realtime/: <name>.json, <name>.onnx, frontend.json, README.md, package.json
Params  bundle, package

package.json has the hash of every file and, of each model, what a host must know before it runs:
sizes, the C++ type, how far it hears, how late it answers, how long its start is felt.
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
from fonoteka.rtneural.bounds import max_abs_logit
from fonoteka.rtneural.cost import model_cost, model_t
from fonoteka.rtneural.parity import settling_steps
from fonoteka.rtneural.validate import require_valid
from stages.realtime.package_realtime.page import page
from stages.realtime.parity_frames import proof_frames

FRONTEND = "frontend.json"


@dataclass(frozen=True)
class PackageRealtimeParams:
    """Section `package_realtime`.

    Attributes:
        steps: frames of test streams on which a start from zeros is compared with a running model.
        starts: how many such starts.
        forgotten: a difference of outputs, below which a start is no longer felt.
        max_bytes: of the weights of all models as float32.
    """

    steps: int
    starts: int
    forgotten: float
    max_bytes: int


def about(
    export: Path, facts: Mapping[str, Any], metrics: Mapping[str, Any], proof: Mapping[str, Any],
    end: FrontEnd,
) -> dict[str, Any]:  # fmt: skip
    """Return what is said of one model.

    Raises:
        ValueError: the files, the model, the proof and the front end are not of one another.
    """
    name = export.name
    said, graph = export / f"{name}.json", export / f"{name}.onnx"
    document = require_valid(said.read_bytes(), said.name)
    loud = max_abs_logit(document, end.max_abs_feature)
    numbers, known = model_cost(document), open_model(graph).get_modelmeta().custom_metadata_map
    pairs = {
        "the name in model.json and that of its folder": (facts.get("name"), name),
        "the name in the ONNX file and in model.json": (known.get("name"), name),
        "the weights' hash in the ONNX file and in model.json": (
            known.get("weights_sha256"), facts["weights_sha256"],
        ),
        "the outputs and the answers": (numbers.outputs, len(facts["answers"])),
        "the inputs and the front end's bands": (numbers.inputs, end.params.bands),
        "the bytes of the files and of those that were proven": (
            {"json": said.stat().st_size, "onnx": graph.stat().st_size}, proof["bytes"],
        ),
    }  # fmt: skip
    for what, (found, wanted) in pairs.items():
        if found != wanted:
            raise UserError(f"{name}: {what} differ: {found} and {wanted}; run dvc repro")
    return {
        "answers": facts["answers"], "event": facts["event"], "threshold": facts["threshold"],
        "delay_hops": facts["delay_hops"], "delay_ms": metrics["delay_ms"],
        "loudest_logit": None if loud is None else math.ceil(loud),
        "model_t": model_t(document), **asdict(numbers), "weight_bytes": numbers.weight_bytes,
        "proof": {key: proof[key] for key in ("steps", "max_error_below")},
        "metrics": {key: metrics[key] for key in ("metric", "score", "low", "high", "baseline",
                                                  "languages", "sources")},
        "weights_sha256": facts["weights_sha256"],
        "training_data_sha256": facts["training_data_sha256"],
    }  # fmt: skip


def check_size(models: Mapping[str, Mapping[str, Any]], limit: int) -> int:
    """Return the bytes of all weights.

    Raises:
        ValueError: they are more than allowed.
    """
    total = sum(int(model["weight_bytes"]) for model in models.values())
    if total > limit:
        raise UserError(
            f"the models' weights take {total} bytes, bundle.max_bytes allows {limit}; make "
            "train_realtime.models smaller in params.yaml"
        )
    return total


def check_sources(
    scores: Mapping[str, Mapping[str, Any]], known: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse scores on corpora that the test part does not have.

    Raises:
        ValueError: there are such, so that nobody knows whether real speech was scored.
    """
    scored = {source for model in scores.values() for source in model["sources"]}
    test = {corpus["corpus"] for corpus in known if corpus["clips"]["test"]}
    if foreign := sorted(scored - test):
        raise UserError(
            f"the metrics are of the corpora {foreign} too, the test part has {sorted(test)}; "
            "run dvc repro"
        )


def run(
    exports: Sequence[Path],
    models: Sequence[Path],
    proofs: Path,
    streams: Path,
    times: Path,
    frontend: Path,
    splits: Path,
    metrics: Path,
    out: Path,
    params: PackageRealtimeParams,
    licence: PackageParams,
) -> None:
    """Write the bundle."""
    manifests, scored = read_parts(splits), read_json(metrics)
    given = {folder.name: folder for folder in exports}
    known = {folder.name: read_json(folder / "model.json") for folder in models}
    proven = {path.stem: read_json(path) for path in sorted(proofs.glob("*.json"))}
    if not set(given) == set(known) == set(proven) == set(scored["models"]):
        raise UserError(
            f"exports of {sorted(given)}, models {sorted(known)}, proofs of {sorted(proven)} and "
            f"metrics of {sorted(scored['models'])} must be of the same models; run dvc repro"
        )
    check_sources(scored["models"], corpora(manifests))
    frames = proof_frames(streams, times, params.steps)
    end = FrontEnd.from_json(read_json(frontend))
    described = {}
    for name, export in sorted(given.items()):
        described[name] = about(export, known[name], scored["models"][name], proven[name], end)
        text = (export / f"{name}.json").read_bytes()
        described[name]["warm_up_hops"] = settling_steps(
            text, frames, params.forgotten, params.starts
        )
    package: dict[str, Any] = {
        "name": "realtime", "kind": "realtime", "hop_ms": 1000 * end.hop_s,
        "frontend": asdict(end.params), "models": described,
        "weight_bytes": check_size(described, params.max_bytes),
        "multiplies_a_hop": sum(model["multiplies"] for model in described.values()),
        "forgotten": params.forgotten,
        "test": {key: scored[key] for key in ("speakers", "hops", "synthetic", "tolerance_ms")},
        "licence": licence_of(manifests, [], licence),
        "lineage": {
            "corpora": corpora(manifests), "learned_from": list(LEARNED),
            "manifests": {f"{p}.jsonl": sha256_file(splits / f"{p}.jsonl") for p in manifests},
            "times.parquet": sha256_file(times),
        },
    }  # fmt: skip
    with atomic_folder(out) as folder:
        for name, source in given.items():
            for file in (f"{name}.json", f"{name}.onnx"):
                shutil.copyfile(source / file, folder / file)
        shutil.copyfile(frontend, folder / FRONTEND)
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
    parser.add_argument("--proofs", type=Path, required=True, help="folder with a file per model")
    args = parser.parse_args()
    run(
        **vars(args),
        params=load("package_realtime", PackageRealtimeParams),
        licence=load("package", PackageParams),
    )
