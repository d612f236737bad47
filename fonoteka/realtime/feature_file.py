"""Write what a host has to compute from a recording: features, outputs and decisions of each hop.

    python -m fonoteka realtime features WAV --npz FILE [--bundle FOLDER]

Reads   a recording at 16, 44.1 or 48 kHz, and a bundle
Writes  the archive FILE, for a comparison frame by frame:
            features            `[T, M]`  of the front end
            hop_end_s           `[T]`     the end of each hop, in seconds of the recording
            <model>_outputs     `[T, O]`  in ONNX Runtime
            <model>_decisions   `[T]`     with the settings of package.json
            <model>_changed     `[T]`     whether the decision changed, or there is an event

Channels are averaged, the filters of the resampler are those of `fonoteka_frontend.hpp`, and
samples that are not finite count as zeros, as in the C++ front end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audiocheck.read_recording import read_recording
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json
from fonoteka.core.params import build
from fonoteka.git import project
from fonoteka.onnx_export.session import open_model
from fonoteka.onnx_export.stateful_session import StatefulSession
from fonoteka.packaging import PACKAGE, verified
from fonoteka.realtime.decisions import Decider, DecisionSettings
from fonoteka.realtime.frontend import FrontEnd
from fonoteka.realtime.resampler import HOST_RATES_HZ, resampled

FRONTEND = "frontend.json"
SETTINGS = ("kind", "threshold", "release", "margin", "hold_hops")


def decision_settings(package: Mapping[str, Any], name: str) -> DecisionSettings:
    """Return the settings of a model's decisions in package.json.

    Raises:
        UserError: they are missing or have another type.
    """
    entry = package.get("models", {}).get(name, {}).get("decision")
    if not isinstance(entry, dict):
        raise UserError(f"{PACKAGE}: models.{name} has no decision; run dvc repro package_realtime")
    values = {key: value for key, value in entry.items() if key in SETTINGS}
    return build(values, DecisionSettings, f"{PACKAGE}: models.{name}.decision")


def host_samples(path: Path) -> tuple[NDArray[np.float64], int]:
    """Return a recording `[N]` at 16 kHz as a host computes it, and its rate in Hz.

    Raises:
        UserError: it cannot be read, or has another rate than a host accepts.
    """
    samples, rate_hz = read_recording(path)
    if rate_hz not in HOST_RATES_HZ:
        raise UserError(
            f"{path}: {rate_hz} Hz; the C++ front end reads {', '.join(map(str, HOST_RATES_HZ))} "
            "Hz, so convert it first"
        )
    mono = samples.mean(axis=1, dtype=np.float64) if samples.ndim == 2 else samples
    finite = np.where(np.isfinite(mono), mono, 0).astype(np.float32)
    return resampled(finite.astype(np.float64), rate_hz), rate_hz


def feature_arrays(folder: Path, samples: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a bundle for samples `[N]` at 16 kHz, by name.

    Raises:
        UserError: a file of the bundle is missing or changed, or the sound is shorter than a hop.
    """
    end = FrontEnd.from_json(read_json(verified(folder, FRONTEND)))
    features = end(samples.astype(np.float64))
    if not len(features):
        raise UserError(f"{len(samples)} samples at 16 kHz; a hop has {end.params.hop}")
    ends_s = np.arange(1, len(features) + 1) * end.hop_s
    arrays: dict[str, NDArray[Any]] = {"features": features, "hop_end_s": ends_s}
    package = read_json(folder / PACKAGE)
    for name in sorted(package["models"]):
        settings = decision_settings(package, name)
        outputs = StatefulSession(open_model(verified(folder, f"{name}.onnx"))).run(features)
        values, changed = Decider(settings).run(outputs)
        arrays |= {
            f"{name}_outputs": outputs, f"{name}_decisions": values, f"{name}_changed": changed,
        }  # fmt: skip
    return arrays


def run(recording: Path, npz: Path, bundle: Path | None) -> None:
    """Write the archive and print what it contains.

    Args:
        recording: the sound.
        npz: the archive.
        bundle: data/models/realtime of the project by default.
    """
    samples, rate_hz = host_samples(recording)
    arrays = feature_arrays(bundle or project() / "data/models/realtime", samples)
    with atomic_file(npz) as file, file.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
    print(f"{npz}: {len(arrays['features'])} hops of {recording} at {rate_hz} Hz")
    for name, array in arrays.items():
        print(f"  {name:<20} {array.dtype} {list(array.shape)}")
