"""Draw hours, speakers, durations, levels, SNR and phones, with one colour per split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from fonoteka.reporting.figures import save
from stages.corpus.audit.leakage import Parts
from stages.corpus.audit.numbers import UNKNOWN, Inventory, speaker_hours, values_of

COLOURS = {"train": "C0", "valid": "C1", "test": "C2"}


def picture(
    report: Mapping[str, Any], parts: Parts, inventory: Inventory, least_phones: int, path: Path,
    dpi: int,
) -> None:  # fmt: skip
    """Draw six panels.

    Args:
        report: the finished counts.
        parts: the utterances of each split.
        inventory: its rows by id, for the measurements of the recordings.
        least_phones: the tokens that each phone should have in train, drawn as a line.
        path: of the PNG.
        dpi: of the picture.
    """
    # Six columns, so that rows of two, three and one panels have the same width.
    figure, axes = plt.subplot_mosaic(
        [["hours"] * 3 + ["speakers"] * 3, ["duration"] * 2 + ["level"] * 2 + ["snr"] * 2,
         ["phones"] * 6],
        figsize=(9, 7.5), layout="constrained",
    )  # fmt: skip
    _hours(axes["hours"], report["parts"])
    _speakers(axes["speakers"], parts)
    durations = {part: [u.duration_s for u in rows] for part, rows in parts.items()}
    _histogram(axes["duration"], durations, "duration, s")
    for panel, column, title in (
        (axes["level"], "level_dbfs", "RMS level as recorded, dBFS"),
        (axes["snr"], "snr_db", "SNR (estimated), dB"),
    ):
        values = {part: values_of(rows, inventory, column) for part, rows in parts.items()}
        _histogram(panel, values, title)
    _phones(axes["phones"], report["phones"], least_phones)
    for panel in axes.values():
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes["hours"].get_legend_handles_labels(), loc="outside upper center", ncols=3,
                  frameon=False, fontsize=9)  # fmt: skip
    save(figure, path, dpi)


def _hours(axes: Axes, parts: Mapping[str, Any]) -> None:
    spoken = sorted({name for part in parts.values() for name in part["languages"]})
    bottom = [0.0] * len(spoken)
    for name, part in parts.items():
        heights = [part["languages"].get(code, {"hours": 0.0})["hours"] for code in spoken]
        axes.bar(spoken, heights, bottom=bottom, color=COLOURS[name], label=name, width=0.6)
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    axes.set_title("hours per language", fontsize=10)


def _speakers(axes: Axes, parts: Parts) -> None:
    start = 0
    for name, rows in parts.items():
        hours = speaker_hours(rows)
        positions = range(start, start + len(hours))
        axes.bar(positions, [60 * duration for duration in hours], color=COLOURS[name], width=0.9)
        start += len(hours)
    axes.set_title("minutes per speaker", fontsize=10)
    axes.set_xticks([])


def _histogram(axes: Axes, values: Mapping[str, list[float]], title: str) -> None:
    axes.set_title(title, fontsize=10)
    if not any(values.values()):
        axes.text(0.5, 0.5, UNKNOWN, ha="center", transform=axes.transAxes, color="grey")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.hist(
        list(values.values()), bins=30, stacked=True, color=[COLOURS[name] for name in values]
    )
    axes.set_ylabel("clips", fontsize=8)


def _phones(axes: Axes, phones: Mapping[str, Mapping[str, int]], least: int) -> None:
    rarest = sorted(phones.items(), key=lambda item: (-item[1]["train"], item[0]))
    for name, colour in COLOURS.items():
        # A phone that does not occur is a dot at half a count: a log axis has no zero.
        heights = [max(0.5, n[name]) for _, n in rarest]
        axes.plot(range(len(rarest)), heights, ".", markersize=4, color=colour)
    axes.axhline(least, color="grey", linewidth=0.8, linestyle="dotted")
    axes.set_yscale("log")
    axes.set_xticks(range(len(rarest)), [phone for phone, _ in rarest], fontsize=7)
    axes.set_title(
        "count of each phone per split; dotted: recommended minimum in train", fontsize=10
    )
