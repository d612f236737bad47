"""Real-time factors of inference, from the benchmarks in reports/bench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fonoteka.core.files import read_json

BENCH = Path("reports/bench")
NEEDED = {
    "path.json": "bench paths", "realtime.json": "bench realtime",
    "streaming.json": "bench streaming", "words.json": "bench words",
    "alignment.json": "bench alignment FOLDER",
}  # fmt: skip
"""Reports with a real-time factor, and the command that writes each."""


def inference(folder: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the real-time factors in a project's reports, and what is missing.

    Args:
        folder: the top of the project.
    """
    rows: list[dict[str, Any]] = []
    missing = []
    for name, command in NEEDED.items():
        path = folder / BENCH / name
        if not path.is_file():
            missing.append(f"{BENCH / name}: run `python -m fonoteka {command}`")
            continue
        report = read_json(path)
        machine = report.get("machine", {})
        place = {
            "processor": machine.get("processor") or "unknown",
            "load": machine.get("load_at_start"),
            "cores": report.get("cores", 1),
        }
        rows += [
            {"model": model, "kind": kind, "rtf": rtf, "report": name} | place
            for model, kind, rtf in READERS[name](report)
        ]
    return rows, missing


def _paths(report: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for model, parts in report["models"].items():
        for kind, figures in parts["model"].items():
            yield model, kind, figures["real_time_factor"]


def _realtime(report: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for model, figures in report["models"].items():
        yield model, "fp32", figures["onnx"]["median_ms"] / report["hop_ms"]
    yield (
        "all five, one session",
        "fp32",
        report["all_five"]["onnx"]["median_ms"] / report["hop_ms"],
    )


def _streaming(report: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    yield "stream_ctc", "stream, fp32", report["candidates"]["engine"]["rtf"]


def _words(report: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for kind, figures in report["figures"]["text"].items():
        yield "Whisper tuned", kind, figures["real_time_factor"]


def _alignment(report: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for length, rows in report["real_time_factor"].items():
        yield "aligner", f"{length} recordings", rows["aligner"]


READERS = {
    "path.json": _paths, "realtime.json": _realtime, "streaming.json": _streaming,
    "words.json": _words, "alignment.json": _alignment,
}  # fmt: skip
