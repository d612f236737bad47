"""Check a bundle of small models: its files, its metadata and its outputs.

    python -m fonoteka realtime check [FOLDER] [--wav FILE] [--seconds 20]

Reads   a bundle: package.json, frontend.json, <name>.json and <name>.onnx of each model
Writes  nothing; prints one line per check and a table; exits 1 if a check fails

The checks are independent of the code that made the bundle. An interpreter of the format runs the
files of RTNeural, and ONNX Runtime gives the expected outputs; the inputs of both come from the
front end of frontend.json, at once and block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.git import project
from fonoteka.packaging import PACKAGE, check_package
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.feature_file import decision_settings
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.realtime.host_files import host_files
from fonoteka.realtime.model_check import BundledModel, declared_model
from fonoteka.reporting.text_table import table
from fonoteka.transcribe import load_recording

FRONTEND = "frontend.json"
SAME = 1e-12
"""The largest difference of a window or matrix from its recomputation on another processor."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: its state `ok`, `FAULT` or `skipped`, its name and a message."""

    state: str
    name: str
    message: str


def run_check(name: str, check: Callable[[], str]) -> CheckResult:
    """Return the result of a check; an error becomes a fault."""
    try:
        return CheckResult("ok", name, check())
    except (ValueError, OSError) as error:
        return CheckResult("FAULT", name, " ".join(str(error).split()))


def check_files(folder: Path) -> str:
    """Check that each file has its recorded hash."""
    if problems := check_package(folder):
        raise UserError("; ".join(problems))
    return f"{len(read_json(folder / PACKAGE)['files'])} files have the recorded SHA-256"


def check_front_end(folder: Path, package: Mapping[str, Any]) -> str:
    """Check that window, matrix and texts of frontend.json agree with its parameters."""
    document = read_json(folder / FRONTEND)
    if not isinstance(document, dict):
        raise UserError("frontend.json: expected a JSON object; export it again")
    end = FrontEnd.from_json(document)
    # Computed from the parameters alone, so it shows errors in window and matrix.
    recomputed = FrontEnd(end.params, end.mean, end.std)
    faults = [
        f"{key} differs by {difference:.2g} from its recomputation"
        for key, difference in (
            ("hann", float(np.abs(end.hann - recomputed.hann).max())),
            ("mel", float(np.abs(end.mel - recomputed.mel).max())),
        )
        if not difference <= SAME
    ]
    texts = recomputed.to_json()
    faults += [
        f"{key} is {document.get(key)!r}, but {texts[key]!r} is computed"
        for key in ("frame", "log", "spectrum", "window_shape")
        if document.get(key) != texts[key]
    ]
    if package.get("frontend") != asdict(end.params):
        faults.append(f"its parameters differ from those in {PACKAGE}")
    if faults:
        raise UserError(f"frontend.json: {'; '.join(faults)}; export it again")
    return f"{end.params.bands} bands, window and matrix agree with the parameters"


def check_host_files(folder: Path, package: Mapping[str, Any]) -> str:
    """Check that the C++ files are those of this front end, these models and their settings."""
    models = package["models"]
    for name in models:
        decision_settings(package, name)
    frontend = (folder / FRONTEND).read_bytes()
    documents = {name: (folder / f"{name}.json").read_bytes() for name in models}
    end = FrontEnd.from_json(read_json(folder / FRONTEND))
    files = host_files(end, frontend, models, documents)
    if changed := [
        name
        for name, code in files.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != code
    ]:
        raise UserError(f"{changed} are missing or belong to other models; run dvc repro")
    return f"{len(files)} C++ files have the constants of {FRONTEND} and {PACKAGE}"


def run_checks(folder: Path, signal: Signal, models: list[BundledModel]) -> Iterator[CheckResult]:
    """Yield the result of each check, and append the models of the bundle to a list."""
    yield run_check("files", lambda: check_files(folder))
    package = read_json(folder / PACKAGE)
    if not isinstance(package, dict):
        raise UserError(f"{folder / PACKAGE}: expected a JSON object; run dvc repro")
    front_end_result = run_check(FRONTEND, lambda: check_front_end(folder, package))
    yield front_end_result
    for name in TASKS:
        try:
            model = BundledModel(folder, name, declared_model(package, name))
        except ValueError as error:
            yield CheckResult("FAULT", name, str(error))
            continue
        models.append(model)
        # The later checks run the model, so they need a valid format and a valid front end.
        format_result = run_check(f"{name}: format", model.format)
        yield format_result
        steps: dict[str, Callable[[], str]] = {"architecture": model.architecture}
        if front_end_result.state == "ok":
            end = FrontEnd.from_json(read_json(folder / FRONTEND))
            steps |= _output_checks(model, end, signal)
        for step, check in steps.items():
            if format_result.state == "ok":
                yield run_check(f"{name}: {step}", check)
        if format_result.state != "ok" or front_end_result.state != "ok":
            cause = "its format" if format_result.state != "ok" else FRONTEND
            yield CheckResult("skipped", f"{name}: the rest", f"{cause} has a fault")
    if front_end_result.state == "ok" and len(models) == len(TASKS):
        yield run_check("C++", lambda: check_host_files(folder, package))
    yield run_check(PACKAGE, lambda: check_sums(package, models))


def _output_checks(
    model: BundledModel, end: FrontEnd, signal: Signal
) -> dict[str, Callable[[], str]]:
    return {
        "inputs and outputs": lambda: model.interface(end),
        "round trip": lambda: model.round_trip(end, signal),
        "blocks": lambda: model.blocks(end, signal),
    }


def check_sums(package: Mapping[str, Any], models: list[BundledModel]) -> str:
    """Check the sums over all models."""
    sums = {
        "weight_bytes": sum(model.declared.weight_bytes for model in models),
        "macs_per_hop": sum(model.declared.macs for model in models),
    }
    if faults := [
        f"{key} is {package.get(key)}, but the sum over models is {value}"
        for key, value in sums.items()
        if package.get(key) != value
    ]:
        raise UserError(f"{PACKAGE}: {'; '.join(faults)}")
    return f"{sums['weight_bytes']} bytes of weights, {sums['macs_per_hop']} MACs per hop"


def summary_table(models: list[BundledModel]) -> str:
    """Return the table of all models."""
    header = ["model", "parameters", "MACs per hop", "max abs error", "hops", "near-tie hops"]
    return table(
        header,
        [
            [model.name, model.declared.parameters, model.declared.macs,
             f"{model.error:.1e}" if model.hops else None, model.hops or None, model.close]
            for model in models
        ],
    )  # fmt: skip


def run(folder: Path | None, *, wav: Path | None, seconds: float) -> None:
    """Print each check of a bundle and the table of its models.

    Args:
        folder: the bundle; data/models/realtime of the project by default.
        wav: a recording to run the models on; bursts of noise by default.
        seconds: how long the bursts are.

    Raises:
        ValueError: a check found a fault, or the sound is shorter than a second.
    """
    signal = load_recording(wav) if wav else synthetic_sound(seconds)
    if len(signal) < 16_000:
        raise UserError(
            f"the sound has {len(signal)} samples; use at least one second, 16000 samples"
        )
    models: list[BundledModel] = []
    results = []
    for result in run_checks(folder or project() / "data/models/realtime", signal, models):
        results.append(result)
        print(f"{result.state:<8}{result.name}: {result.message}", flush=True)
    print(f"\n{summary_table(models)}")
    if faults := [result for result in results if result.state == "FAULT"]:
        messages = "; ".join(f"{fault.name}: {fault.message}" for fault in faults)
        raise UserError(f"realtime check: {len(faults)} checks failed: {messages}")
