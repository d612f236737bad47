"""The parts of scale.json as text: the tables of docs/scale.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.bench.scale.forecast import HOURS, STAGE_NAMES
from fonoteka.bench.scale.stage_commands import STAGES, TRAINING_STAGES
from fonoteka.reporting.markdown import table

Report = Mapping[str, Any]
FILES = ("recordings", "results", "cache")


def curve_page(report: Report) -> str:
    """Return CPU seconds and peaks by stage and number of clips, and what one clip more costs."""
    sizes = _sizes(report)
    names = [n for n in STAGES if any(n in entry["stages"] for entry in sizes.values())]
    header = ["stage", *(f"{int(clips):,} clips" for clips in sizes), "exponent", "memory ratio"]
    rows = []
    for name in names:
        growth = report["growth"].get(name)
        cells = [_cost(entry["stages"].get(name)) for entry in sizes.values()]
        rows.append([
            name, *cells, growth["exponent"] if growth else "-",
            growth["memory_ratio"] if growth else "-",
        ])  # fmt: skip
    return f"{table(header, rows)}\n\n{_more(report)}\n\n{_files(report)}"


def _sizes(report: Report) -> dict[str, Any]:
    """Return the sizes in their order: a JSON file has them, and stages, in that of letters."""
    return {clips: report["sizes"][clips] for clips in sorted(report["sizes"], key=int)}


def _cost(cost: Mapping[str, float] | None) -> str:
    """Return CPU seconds and the MiB of the largest process and of all together."""
    if cost is None:
        return "-"
    return f"{cost['cpu_s']} s, {cost['largest_mib']:.0f} / {cost['together_mib']:.0f} MiB"


def _more(report: Report) -> str:
    rows = [
        [
            f"{int(clips):,}", name, entry["stages"][name]["cpu_s"], more["cpu_s"],
            more["unchanged_cpu_s"], f"{100 * more['share']:.1f} %",
            "yes" if more["same_bytes"] else "no",
        ]
        for clips, entry in _sizes(report).items()
        for name in STAGES
        if (more := entry.get("one_more", {}).get(name))
    ]  # fmt: skip
    header = [
        "clips", "stage", "from nothing, s", "one more, s", "unchanged, s", "share", "same bytes",
    ]  # fmt: skip
    return table(header, rows)


def _files(report: Report) -> str:
    rows = [
        [
            f"{int(clips):,}", *(entry["files"][name] for name in FILES),
            entry["dvc"]["status_cpu_s"], entry["dvc"]["commit_cpu_s"], entry["load_at_start"],
        ]
        for clips, entry in _sizes(report).items()
    ]  # fmt: skip
    header = [
        "clips", "recordings", "results", "entries of the cache", "`dvc status`, CPU s",
        "`dvc commit`, CPU s", "load",
    ]  # fmt: skip
    return table(header, rows)


def training_page(report: Report) -> str:
    """Return CPU seconds and peaks of alignment, trainings and evaluation by number of clips."""
    sizes = _sizes(report)
    header = ["stage", *(f"{int(clips):,} clips" for clips in sizes)]
    rows = [
        [name, *(_cost(entry["stages"].get(name)) for entry in sizes.values())]
        for name in TRAINING_STAGES
    ]
    return table(header, rows)


def encoder_page(report: Report) -> str:
    """Return the rates of the stages, and one worker beside two."""
    rows = [
        [name, rate["clip_ms"], rate["cpu_s_per_hour"], rate["start_cpu_s"], rate["largest_mib"]]
        for name in STAGES
        if (rate := report["rates"].get(name))
    ]
    header = ["stage", "per clip, CPU ms", "per hour of speech, CPU s", "start, CPU s", "MiB"]
    single, double = (report["workers"][n] for n in ("1", "2"))
    return (
        f"{table(header, rows)}\n\n`embed` with 1 worker {single['wall_s']} s and "
        f"{single['cpu_s']} CPU s, with 2 workers {double['wall_s']} s and {double['cpu_s']} "
        f"CPU s: {report['two_workers']} times as fast; bare decoding is "
        f"{report['of_decoding']} of inventory and dedupe"
    )


def executors_page(report: Report) -> str:
    """Return which executors wrote the same bytes."""
    runs = ", ".join(report["runs"])
    differing = ", ".join(report["differing"]) or "none"
    left_out = ", ".join(report["not_run"]) or "none"
    return (
        f"{report['clips']} clips, {' and '.join(report['stages'])}: {runs}; other bytes: "
        f"{differing}; not run: {left_out}"
    )


def hand_over_page(report: Report) -> str:
    """Return what a shard costs besides its work."""
    rows = [[name, times["first_s"], times["shard_ms"]] for name, times in report["times"].items()]
    return table(["executor", "first shard, s", "each other, ms"], rows)


def forecast_page(report: Report) -> str:
    """Return hours of the clock by place, CPU hours and sizes, and the rates behind them."""
    rows: list[list[object]] = [
        [row["executor"], row["place"], *(row[f"clock_h_{h}"] for h in HOURS), row["longest"]]
        for row in report["rows"]
    ]
    header = ["executor", "with", *(f"{h:,} h of speech, h" for h in HOURS), "longest stage"]
    sizes = [
        [f"{int(hours):,}", f"{report['clips'][hours]:,}", cpu_h, *report["gb"][hours].values()]
        for hours, cpu_h in report["cpu_h"].items()
    ]
    stored = [f"{name}, GB" for name in next(iter(report["gb"].values()))]
    sums = table(["hours of speech", "clips", "CPU hours", *stored], sizes)
    rates = [[name, report["rates"][name]] for name in STAGE_NAMES]
    per_hour = table(["stage", "CPU s per hour of speech"], rates)
    return f"{table(header, rows)}\n\n{sums}\n\n{per_hour}"
