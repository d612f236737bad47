"""The parts of PLANNING.md that list what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.planning.numerals import number, percent
from fonoteka.planning.work import FIXED
from fonoteka.reporting.markdown import plain, table

MB = 1e6


def steps_part(report: Mapping[str, Any]) -> str:
    """Return the table of seconds per training step."""
    rows = []
    for stage, entry in report["steps"].items():
        interval = (
            f"{number(entry['low_s'])} to {number(entry['high_s'])}"
            if entry["windows"] > 1
            else "-"
        )
        median = number(entry["median_s"]) if entry["windows"] else "-"
        rows.append([
            stage, entry["steps"], median, interval, entry["windows"],
            number(entry["whole_run_s"]), *(
                number(entry[name]) if name in entry else "-"
                for name in ("speech_s", "whole_run_per_s")
            ),
        ])  # fmt: skip
    header = [
        "stage",
        "steps",
        "median",
        "5 to 95 %",
        "windows",
        "whole run per step",
        "speech per step, s",
        "whole run per s of speech",
    ]
    return (
        "## Seconds per step\n\nCPU seconds per update of the weights. A window is at least five "
        "steps between two samples of the log; `whole run` is all of the run without imports, "
        f"validation and reading included.\n\n{table(header, rows)}\n"
    )


def inference_part(report: Mapping[str, Any]) -> str:
    """Return the table of real-time factors, each with its machine."""
    rows = [
        [
            row["model"], row["kind"], number(row["rtf"]), row["cores"], row["load"],
            f"{plain(row['processor'])}, {row['report']}",
        ]
        for row in report["inference"]
    ]  # fmt: skip
    header = ["model", "kind", "real-time factor", "cores", "load", "processor and report"]
    return (
        "## Inference\n\nSeconds per second of audio. The reports are of several days and "
        f"machines.\n\n{table(header, rows, left=(0, 1, 5))}\n"
    )


def growth_part(report: Mapping[str, Any]) -> str:
    """Return the table of how each stage grows."""
    rows = []
    for stage, entry in report["stages"].items():
        fixed = entry["unit"] == FIXED
        scale = entry["per_hour_s"] / entry["per_unit_s"] if entry["per_unit_s"] else 0.0
        interval = (
            f"{number(entry['low'] * scale)} to {number(entry['high'] * scale)}"
            if entry["measurements"] > 1 and not fixed
            else "-"
        )
        rows.append([
            stage, entry["group"], entry["unit"], number(entry["cpu_s"]),
            number(entry["constant_s"]), "-" if fixed else number(entry["per_hour_s"]), interval,
            entry["measurements"],
        ])  # fmt: skip
    header = [
        "stage", "group", "work", "CPU s", "constant, s", "s per hour of speech", "range", "runs",
    ]  # fmt: skip
    return (
        "## How each line grows\n\nThe last finished run of each stage: its CPU seconds, and the "
        f"two numbers of the formula.\n\n{table(header, rows, left=(0, 1, 2))}\n"
    )


def memory_part(report: Mapping[str, Any]) -> str:
    """Return the table of peak memory per stage; empty if no log states it."""
    stages = {
        stage: entry
        for stage, entry in report["stages"].items()
        if entry.get("peak_process_mib") is not None
    }
    if not stages:
        return ""
    ordered = sorted(stages.items(), key=lambda pair: (-pair[1]["peak_process_mib"], pair[0]))
    rows = [
        [stage, round(entry["peak_process_mib"]), round(entry["peak_mib"])]
        for stage, entry in ordered
    ]
    header = ["stage", "largest process, MiB", "all processes, MiB"]
    return (
        "## Peak memory\n\nThe largest process at any time, as the kernel counts it; and all "
        "processes of the stage together, in samples of every five seconds. Pages that processes "
        f"share count for each of them.\n\n{table(header, rows)}\n"
    )


def storage_part(report: Mapping[str, Any]) -> str:
    """Return the tables of bytes: per hour of speech, of models, and of checkpoints."""
    stored = report["storage"]
    growing = [[path, number(size / MB)] for path, size in _largest(stored["bytes_per_hour"])]
    models = [
        [path, number(size / MB)]
        for path, size in _largest(stored["bytes"])
        if path.startswith(("data/models", "data/streaming", "data/realtime"))
    ]
    checkpoints = [
        [path, number(size / MB)] for path, size in _largest(report["checkpoint_bytes_at_most"])
    ]
    text = [
        "## Storage",
        "Per hour of speech, as the sizes in `dvc.lock` state it. `data/raw` is the embedded "
        "corpus: 16-bit WAV at its own rate; the size of your recordings depends on their format.",
        table(["output", "MB per hour"], growing),
        "Models and other outputs that do not grow:",
        table(["output", "MB"], models),
    ]
    if checkpoints:  # models that were not pulled have none
        text += [
            "Checkpoints exist while a training runs. At most 16 bytes per weight, computed and "
            "not measured: the weight, its best value and the two moments of AdamW.",
            table(["checkpoint of", "MB, at most"], checkpoints),
        ]
    return "\n\n".join(text) + "\n"


def check_part(report: Mapping[str, Any]) -> str:
    """Return the comparison of forecasts with logs; empty if there was none."""
    entry = report.get("check")
    if not entry:
        return ""
    rows = [
        [
            each["build"], number(each["hours"] * 60), ", ".join(each["fitted_on"]),
            each["stages"], number(each["cpu_s"]), number(each["forecast_s"]),
            percent(each["error"]), percent(each["work_error"]),
        ]
        for each in entry["builds"]
    ]  # fmt: skip
    header = [
        "build", "minutes of speech", "forecast from", "stages", "CPU s", "forecast", "error",
        "without imports",
    ]  # fmt: skip
    worst = "; ".join(
        f"{stage} {number(actual)} s, forecast {number(forecast)} s"
        for stage, actual, forecast in entry["builds"][0]["worst"][:3]
    )
    return (
        "## Forecast and actual run\n\nBuilds of the small profile and of larger ones, each "
        "forecast from the others. Processor seconds are compared and not the clock, because a "
        "niced build on a shared machine waits for most of its time. "
        f"`planning check` fails if an error exceeds {100 * entry['max_error']:.0f} %. Most of a "
        "small build is imports, which are the same in every build; the last column is the error "
        f"relative to all other seconds.\n\n{table(header, rows, left=(0, 2))}\n\n"
        f"Largest differences of {entry['builds'][0]['build']}: {worst}.\n"
    )


def missing_part(report: Mapping[str, Any]) -> str:
    """Return the list of what was not measured."""
    lines = report["missing"] or ["Nothing: every stage of dvc.lock and every report was read."]
    return "## Not measured\n\n" + "\n".join(f"- {plain(line)}" for line in lines) + "\n"


def _largest(sizes: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return sizes in falling order, without those below 0.05 MB."""
    shown = [(path, size) for path, size in sizes.items() if size >= 0.05 * MB]
    return sorted(shown, key=lambda pair: (-pair[1], pair[0]))
