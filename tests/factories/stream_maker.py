"""Streams, small models and bundles of them, small enough to be made where a test needs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from artefacts import artefact
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import write_json
from fonoteka.lineage import PackageParams
from fonoteka.models.causal import build_stack
from fonoteka.models.store import save_stack
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd, FrontEndParams
from fonoteka.realtime.joined_streams import COLUMNS
from fonoteka.shards import write_arrays
from stages.realtime import export_realtime
from stages.realtime.evaluate_realtime import stage as evaluate_realtime
from stages.realtime.evaluate_realtime.hop_scores import EvaluateRealtimeParams
from stages.realtime.export_realtime import ExportRealtimeParams
from stages.realtime.package_realtime import stage as package_realtime
from stages.realtime.package_realtime.decision_tuning import DecisionGrid
from stages.realtime.package_realtime.stage import PackageRealtimeParams
from stages.realtime.train_realtime.realtime_task import SmallParams, TrainRealtimeParams, shape_of

torch.set_num_threads(1)
HOP_S = 0.01
BANDS = 8
FRONT = FrontEndParams(160, 400, 512, BANDS, 60.0, 7600.0, 1e-6)
# The deviations are such that toy streams and sounds of the front end have about one size.
END = FrontEnd(FRONT, np.full(BANDS, -3, np.float32), np.full(BANDS, 4, np.float32))
SOUNDS = ("a", "d", "s", "p", "i")
"""Each phone is a direction of its own in a toy stream."""

PARAMS = TrainRealtimeParams(
    seed=1, epochs=12, patience=12, learning_rate=0.03, warmup_fraction=0.1, weight_decay=0.0,
    max_grad_norm=1.0, kernel=3, dropout=0.0, bptt_hops=60, batch_hops=400, pos_weight=3.0,
    models={name: SmallParams(delay=1, convolution=6, gru=8) for name in TASKS},
)  # fmt: skip
RTNEURAL = ExportRealtimeParams(opset=17, steps=300, max_error=1e-5)
SCORED = EvaluateRealtimeParams(tolerance_s=0.02, max_latency_s=0.2, resamples=50, seed=1, digits=4)
GRID = DecisionGrid((0.0, 0.1), (0.0, 0.2), (0.0, 0.1), (1, 3), 0.005, 1, 20)
BUNDLE = PackageRealtimeParams(
    steps=300, starts=2, settling_tolerance=0.01, max_bytes=100_000, decisions=GRID
)
LICENCE = PackageParams("Apache-2.0", ("CC0",))


def toy_rows(seed: int, words: int = 4) -> list[tuple[str, float, float]]:
    """Return the phones of a stream, in whole hops, with pauses between words."""
    rng = np.random.default_rng(seed)
    rows, start = [], 15
    for _ in range(words):
        for sound in rng.integers(len(SOUNDS), size=rng.integers(2, 5)):
            hops = int(rng.integers(5, 12))
            rows.append((SOUNDS[sound], round(start * HOP_S, 4), round((start + hops) * HOP_S, 4)))
            start += hops
        start += int(rng.integers(15, 30))
    return rows


def toy_frames(rows, seed: int) -> np.ndarray:
    """Return frames `[T, BANDS]` in which each phone is one direction."""
    hops = round(rows[-1][2] / HOP_S) + 20
    frames = 0.05 * np.random.default_rng(seed).standard_normal((hops, BANDS))
    for phone, start_s, end_s in rows:
        frames[round(start_s / HOP_S) : round(end_s / HOP_S), SOUNDS.index(phone)] += 1
    return frames.astype(np.float32)


def toy_streams(folder: Path, train: int = 12, valid: int = 3, test: int = 4) -> Path:
    """Write the outputs of the stage streams: each stream has another speaker."""
    arrays, table = {}, []
    parts = ["train"] * train + ["valid"] * valid + ["test"] * test
    for seed, part in enumerate(parts):
        rows, key = toy_rows(seed), f"mine/s{seed}-000"
        arrays[key] = toy_frames(rows, seed)
        source, language = ("mine", "hr") if seed % 2 else ("tts", "en")
        table += [
            (key, part, f"mine/s{seed}", source, source == "tts", language, *row) for row in rows
        ]
    (folder / "streams").mkdir(parents=True)
    write_arrays(folder / "streams", arrays, 2)
    pd.DataFrame(table, columns=list(COLUMNS)).to_parquet(folder / "times.parquet", index=False)
    write_json(folder / "frontend.json", END.to_json())
    return folder


def save_random(
    folder: Path, name: str, seed: int = 0, params: TrainRealtimeParams = PARAMS
) -> Path:
    """Write an untrained model as the stage realtime writes it, with weights that matter."""
    question, small = TASKS[name], params.models[name]
    shape = shape_of(BANDS, question, small, params)
    torch.manual_seed(seed)
    model = build_stack(shape)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2
    metadata = {
        "name": name, "labels": list(question.names), "event": question.event,
        "delay_hops": small.delay, "threshold": 0.5, "training_data_sha256": "5" * 64,
        "best_epoch": 1, "valid_error": 0.5,
    }  # fmt: skip
    save_stack(folder / name, model.eval(), shape, metadata)
    return folder / name


def exported(toy: Path, folder: Path, models: dict[str, Path]) -> dict[str, Path]:
    """Export models as the stage export_realtime does, with reports in `folder/parity_reports`."""
    for name, model in models.items():
        export_realtime.run(
            model, toy / "streams", toy / "times.parquet", folder / "export" / name,
            folder / "parity_reports" / f"{name}.json", RTNEURAL,
        )  # fmt: skip
    return {name: folder / "export" / name for name in models}


def scored(toy: Path, folder: Path, exports: dict[str, Path], models: dict[str, Path]) -> Path:
    """Score exports as the stage streaming does and return the report."""
    evaluate_realtime.run(
        list(exports.values()), list(models.values()), toy / "streams", toy / "times.parquet",
        toy / "frontend.json", folder / "realtime.json", SCORED,
    )  # fmt: skip
    return folder / "realtime.json"


def write_splits(folder: Path) -> Path:
    """Write manifests of three real voices and three synthetic ones under one licence."""
    folder.mkdir()
    for number, part in enumerate(("train", "valid", "test")):
        synthetic = utterance(f"tts/v{number}", number, synthetic=True)
        manifest.write(folder / f"{part}.jsonl", [utterance(f"mine/s{number}", number), synthetic])
    return folder


def small(factory) -> Path:
    """Return a folder with all five models, untrained, exported, scored and bundled.

    It is shared by all tests of a run: streams in `toy`, then `models`, `export`,
    `parity_reports`, and the bundle in `realtime`.
    """
    return artefact(factory, "small", _make_small)


def _make_small(folder: Path) -> None:
    toy = toy_streams(folder / "toy")
    models = {name: save_random(folder / "models", name, seed) for seed, name in enumerate(TASKS)}
    scored(toy, folder, exported(toy, folder, models), models)
    write_splits(folder / "splits")
    package_realtime.run(**bundle_arguments(folder))


def bundle_arguments(folder: Path) -> dict:
    """Return what the stage bundle reads in a folder as `small` makes it."""
    toy = folder / "toy"
    return {
        "exports": [folder / "export" / name for name in TASKS],
        "models": [folder / "models" / name for name in TASKS],
        "parity_reports": folder / "parity_reports", "streams": toy / "streams",
        "times": toy / "times.parquet", "frontend": toy / "frontend.json",
        "splits": folder / "splits", "metrics": folder / "realtime.json",
        "out": folder / "realtime", "params": BUNDLE, "licence": LICENCE,
    }  # fmt: skip
