"""Package an exported Whisper model for its users: a model card, and the hash of every file.

    python -m stages.words.package_whisper tuned data/models/whisper_onnx/tuned \
        data/models/whisper_base data/models/whisper/tuned data/splits reports/words/tuned.json \
        reports/onnx/whisper_tuned.json data/models/whisper_package/tuned

Reads   data/models/whisper_onnx/<run>, provenance.json of data/models/whisper_base,
        model.safetensors of data/models/whisper/<run>, data/splits, reports/words/<run>.json,
        reports/onnx/whisper_<run>.json
Writes  data/models/whisper_package/<run>: the exported files, README.md, the model card, and
        package.json: files, scores, contract, lineage, licence
Params  package, package_whisper

The files are copied, because the int8 files are not in each export, and so only their folder as a
whole is an output of that stage. The card contains only values of package.json.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, read_json, sha256_file, write_json, write_text
from fonoteka.core.params import load
from fonoteka.lineage import PackageParams, corpora, licence_of, read_parts
from fonoteka.manifest import PARTS
from fonoteka.packaging import CARD, PACKAGE, record
from stages.words.package_whisper.card import RATES, card

WEIGHTS, PROVENANCE = "model.safetensors", "provenance.json"
COUNTS = ("clips", "loops", "speakers", "words")


@dataclass(frozen=True)
class PackageWhisperParams:
    """Section `package_whisper`.

    Attributes:
        staging_wer: the highest canonical WER of a language for the stage `staging`.
        production_wer: the same for the stage `production`.
    """

    staging_wer: float
    production_wer: float

    def __post_init__(self) -> None:
        if not 0 < self.production_wer <= self.staging_wer:
            raise UserError(
                "package_whisper: expected 0 < production_wer <= staging_wer, found "
                f"{self.production_wer} and {self.staging_wer}"
            )


def contract(tuned: Mapping[str, Any], params: PackageWhisperParams) -> dict[str, Any]:
    """Return the stage of a model by its highest canonical WER of a language.

    >>> tuned = {"languages": {code: {"wer": {"canonical": {"rate": rate}}}
    ...          for code, rate in (("hr", 0.1), ("sr", 0.25))}}
    >>> contract(tuned, PackageWhisperParams(0.3, 0.2))["stage"]
    'staging'
    """
    rates = {code: part["wer"]["canonical"]["rate"] for code, part in tuned["languages"].items()}
    language = max(sorted(rates), key=lambda code: rates[code])
    worst = rates[language]
    limits = {"production": params.production_wer, "staging": params.staging_wer}
    reached = [name for name, limit in limits.items() if worst <= limit]
    return {
        "stage": reached[0] if reached else "experimental",
        "wer": worst, "language": language, "limits": limits,
    }  # fmt: skip


def scores(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of an evaluation for a package."""

    def rates(part: Mapping[str, Any]) -> dict[str, Any]:
        units: dict[str, Any] = {"wer": {}, "cer": {}}
        for unit, spelling, _ in RATES:
            units[unit][spelling] = part[unit][spelling]
        return units | {key: part[key] for key in COUNTS}

    difference = report["tuned_minus_base"]
    parts = {"all": difference, **difference["languages"]}
    numbers = {code: part["wer"]["canonical"] for code, part in parts.items()}
    return {
        **{
            model: rates(report[model])
            | {"languages": {c: rates(p) for c, p in report[model]["languages"].items()}}
            for model in ("base", "tuned")
        },
        "tuned_minus_base": {
            code: {"rate": n["difference"], "low": n["low"], "high": n["high"]}
            for code, n in numbers.items()
        },
    }


def check_sizes(folder: Path, exported: Path, sizes: Mapping[str, int]) -> None:
    """Refuse a folder that is not the one of the export's report.

    Raises:
        UserError: a file is missing, foreign, or of another size.
    """
    actual = {p.name: p.stat().st_size for p in folder.glob("[!.]*") if p.is_file()}
    for name in sorted({*actual, *sizes}):
        if actual.get(name) != sizes.get(name):
            raise UserError(
                f"{exported}: states {sizes.get(name)} bytes for {folder / name}, found "
                f"{actual.get(name)}; run dvc repro"
            )


def provenance_of(base: Path) -> dict[str, Any]:
    """Return source, fetched and licence of the model before training.

    Raises:
        UserError: its provenance is missing.
    """
    path = base / PROVENANCE
    if not path.is_file():
        raise UserError(f"{path}: missing, so the licence of the weights is unknown; run dvc repro")
    provenance = read_json(path)
    return {key: provenance.get(key) for key in ("source", "fetched", "licence", "sha256")}


def run(
    name: str, model: Path, base: Path, tuned: Path, splits: Path, scored: Path, exported: Path,
    out: Path, package_params: PackageParams, params: PackageWhisperParams,
) -> None:  # fmt: skip
    """Write the package of one model."""
    report, export_report = read_json(scored), read_json(exported)
    check_sizes(model, exported, export_report["bytes"])
    manifests, provenance = read_parts(splits), provenance_of(base)
    digests = {f"{part}.jsonl": sha256_file(splits / f"{part}.jsonl") for part in PARTS}
    package = {
        "name": name, "kind": "whisper", "parameters": export_report["parameters"],
        "languages": sorted({u.language for u in manifests["train"]}),
        "contract": contract(report["tuned"], params),
        "metrics": scores(report),
        "export": export_report,
        "licence": licence_of(
            manifests, {str(provenance["fetched"] or provenance["source"]): provenance["licence"]},
            package_params,
        ),
        "lineage": {
            "base": provenance, "corpora": corpora(manifests),
            "sha256": digests | {WEIGHTS: sha256_file(tuned / WEIGHTS)},
        },
    }  # fmt: skip
    with atomic_folder(out) as part:
        for file in export_report["bytes"]:
            shutil.copyfile(model / file, part / file)
        files = record(part, export_report["bytes"])
        write_text(part / CARD, card(package | {"files": files}))
        write_json(part / PACKAGE, package | {"files": files | record(part, [CARD])})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    for name in ("model", "base", "tuned", "splits", "scored", "exported", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    sections = load("package", PackageParams), load("package_whisper", PackageWhisperParams)
    run(**vars(args), package_params=sections[0], params=sections[1])
