"""Check a bundle of small models: that it is whole, that it says of itself what it is, and runs so.

    make rtneural-check
    python -m fonoteka.realtime.bundle_check [data/models/realtime] [--wav FILE] [--seconds 20]

Reads   a bundle: package.json, frontend.json, <name>.json and <name>.onnx of each model
Writes  nothing; prints a line a check and a table; exits 1 where something is at fault

Nothing here knows how the bundle was made. The files of RTNeural are run by an interpreter that was
written from the format, and ONNX Runtime says what is right; what both hear comes from the front
end of frontend.json, whole and block by block.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.run_stage import stage
from fonoteka.packaging import PACKAGE, check_package
from fonoteka.realtime.block_check import babble
from fonoteka.realtime.frame_labels import QUESTIONS
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.realtime.model_check import Model, said_of
from fonoteka.reporting.text_table import table
from fonoteka.transcribe import load_recording

FRONTEND = "frontend.json"
SAME = 1e-12
"""A window or matrix differs from what its numbers make by less, on any processor."""


@dataclass(frozen=True)
class Look:
    """One check: `ok`, `FAULT` or `skipped`, and what was found."""

    state: str
    what: str
    said: str


def look(what: str, check: Callable[[], str]) -> Look:
    """Return what a check says, or the fault that it raises."""
    try:
        return Look("ok", what, check())
    except (ValueError, OSError) as error:
        return Look("FAULT", what, " ".join(str(error).split()))


def whole(folder: Path) -> str:
    """Check that each file is the one that was packaged."""
    if problems := check_package(folder):
        raise UserError("; ".join(problems))
    return f"{len(read_json(folder / PACKAGE)['files'])} files have the recorded SHA-256"


def rebuilt(folder: Path, package: Mapping[str, Any]) -> str:
    """Check that the window, the matrix and the words of frontend.json are what its numbers say."""
    found = read_json(folder / FRONTEND)
    if not isinstance(found, dict):
        raise UserError("frontend.json: expected keys and values; export it anew")
    end = FrontEnd.from_json(found)
    made = FrontEnd(end.params, end.mean, end.std)
    faults = [
        f"{key} is off by {apart:.2g} from what the other numbers make"
        for key, apart in (
            ("hann", float(np.abs(end.hann - made.hann).max())),
            ("mel", float(np.abs(end.mel - made.mel).max())),
        )
        if not apart <= SAME
    ]
    words = made.to_json()
    faults += [
        f"{key} says {found.get(key)!r}, and what is computed is {words[key]!r}"
        for key in ("frame", "log", "spectrum", "window_shape")
        if found.get(key) != words[key]
    ]
    if package.get("frontend") != asdict(end.params):
        faults.append(f"its numbers are not those of {PACKAGE}")
    if faults:
        raise UserError(f"frontend.json: {'; '.join(faults)}; export it anew")
    return f"{end.params.bands} bands, window and matrix are what its numbers make"


def looks(folder: Path, signal: Signal, models: list[Model]) -> Iterator[Look]:
    """Yield each check as it is done, and put the models that are there into a list."""
    yield look("files", lambda: whole(folder))
    package = read_json(folder / PACKAGE)
    if not isinstance(package, dict):
        raise UserError(f"{folder / PACKAGE}: expected keys and values; run dvc repro")
    front = look(FRONTEND, lambda: rebuilt(folder, package))
    yield front
    for name in QUESTIONS:
        try:
            model = Model(folder, name, said_of(package, name))
        except ValueError as error:
            yield Look("FAULT", name, str(error))
            continue
        models.append(model)
        sound = look(f"{name}: format", model.format)
        yield sound
        steps: dict[str, Callable[[], str]] = {"architecture": model.architecture}
        if front.state == "ok":
            end = FrontEnd.from_json(read_json(folder / FRONTEND))
            steps |= _heard(model, end, signal)
        for what, check in steps.items():
            if sound.state == "ok":
                yield look(f"{name}: {what}", check)
        if sound.state != "ok" or front.state != "ok":
            why = "its format" if sound.state != "ok" else FRONTEND
            yield Look("skipped", f"{name}: the rest", f"{why} is at fault")
    yield look(PACKAGE, lambda: summed(package, models))


def _heard(model: Model, end: FrontEnd, signal: Signal) -> dict[str, Callable[[], str]]:
    return {
        "inputs and outputs": lambda: model.ends(end),
        "round trip": lambda: model.round_trip(end, signal),
        "blocks": lambda: model.blocks(end, signal),
    }


def summed(package: Mapping[str, Any], models: list[Model]) -> str:
    """Check the sums over all models."""
    sums = {
        "weight_bytes": sum(model.said.weight_bytes for model in models),
        "multiplies_a_hop": sum(model.said.multiplies for model in models),
    }
    if faults := [
        f"{key} is {package.get(key)}, and the models' are {value}"
        for key, value in sums.items()
        if package.get(key) != value
    ]:
        raise UserError(f"{PACKAGE}: {'; '.join(faults)}")
    return f"{sums['weight_bytes']} bytes of weights, {sums['multiplies_a_hop']} products a hop"


def page(models: list[Model]) -> str:
    """Return the table of all models."""
    header = ["model", "parameters", "products a hop", "off by at most", "hops", "too close"]
    return table(
        header,
        [
            [model.name, model.said.parameters, model.said.multiplies,
             f"{model.error:.1e}" if model.hops else None, model.hops or None, model.close]
            for model in models
        ],
    )  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="rtneural-check", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/models/realtime"))
    parser.add_argument("--wav", type=Path, help="a recording (default: made bursts of noise)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the bursts")
    given = parser.parse_args()
    signal = load_recording(given.wav) if given.wav else babble(given.seconds)
    if len(signal) < 16_000:
        raise UserError(f"a sound of {len(signal)} samples proves little; take a second or more")
    models: list[Model] = []
    found = []
    for one in looks(given.folder, signal, models):
        found.append(one)
        print(f"{one.state:<8}{one.what}: {one.said}", flush=True)
    print(f"\n{page(models)}")
    if faults := [one for one in found if one.state == "FAULT"]:
        said = "; ".join(f"{one.what}: {one.said}" for one in faults)
        raise UserError(f"rtneural-check: {len(faults)} at fault: {said}")


if __name__ == "__main__":
    stage(main)
