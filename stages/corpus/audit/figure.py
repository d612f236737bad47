"""Draw hours, speakers, durations, levels, SNR and phones, with one colour per split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    report: Mapping[str, Any], parts: Parts, inventory: Inventory, nearest: Sequence[float],
    least_phones: int, path: Path, dpi: int,
) -> None:  # fmt: skip
    """Draw seven panels.

    Args:
        report: the finished counts.
        parts: the utterances of each split.
        inventory: its rows by id, for the measurements of the recordings.
        nearest: the cosine of each voice with the nearest one in another split; NaN if there is
            no other.
        least_phones: the tokens that each phone should have in train, drawn as a line.
        path: of the PNG.
        dpi: of the picture.
    """
    # Six columns, so that rows of three and one panels have the same width.
    figure, axes = plt.subplot_mosaic(
        [["hours"] * 2 + ["speakers"] * 2 + ["voices"] * 2,
         ["duration"] * 2 + ["level"] * 2 + ["snr"] * 2,
         ["phones"] * 6],
        figsize=(9, 7.5), layout="constrained",
    )  # fmt: skip
    _hours(axes["hours"], report["parts"])
    _speakers(axes["speakers"], parts)
    _voices(axes["voices"], nearest, report["voices"]["same_voice"])
    durations = {part: [u.duration_s for u in rows] for part, rows in parts.items()}
    _histogram(axes["duration"], durations, "Duration", "Duration (s)")
    for panel, column, title, label in (
        (axes["level"], "level_dbfs", "Level as recorded", "RMS level (dBFS)"),
        (axes["snr"], "snr_db", "SNR (estimated)", "SNR (dB)"),
    ):
        values = {part: values_of(rows, inventory, column) for part, rows in parts.items()}
        _histogram(panel, values, title, label)
    _phones(axes["phones"], report["phones"], least_phones)
    for panel in axes.values():
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes["hours"].get_legend_handles_labels(), loc="outside upper center", ncols=3,
                  frameon=False, fontsize=9, title="Split", title_fontsize=9)  # fmt: skip
    save(figure, path, dpi)


def _hours(axes: Axes, parts: Mapping[str, Any]) -> None:
    spoken = sorted({name for part in parts.values() for name in part["languages"]})
    bottom = [0.0] * len(spoken)
    for name, part in parts.items():
        heights = [part["languages"].get(code, {"hours": 0.0})["hours"] for code in spoken]
        axes.bar(spoken, heights, bottom=bottom, color=COLOURS[name], label=name, width=0.6)
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    _label(axes, "Speech per language", "Language", "Speech (h)")


def _speakers(axes: Axes, parts: Parts) -> None:
    start = 0
    for name, rows in parts.items():
        hours = speaker_hours(rows)
        positions = range(start, start + len(hours))
        axes.bar(positions, [60 * duration for duration in hours], color=COLOURS[name], width=0.9)
        start += len(hours)
    _label(axes, "Speech per speaker", "Speaker, longest first", "Speech (min)")
    axes.set_xticks([])


def _voices(axes: Axes, nearest: Sequence[float], same_voice: float) -> None:
    _label(axes, "Voices (dotted: one person)", "Cosine with nearest in other split", "Speakers")
    cosines = [cosine for cosine in nearest if not math.isnan(cosine)]
    if cosines:
        axes.hist(cosines, bins=30, range=(min([*cosines, 0.4]), 1.0), color="grey")
    axes.axvline(same_voice, color="black", linewidth=1.2, linestyle="dotted")


def _histogram(axes: Axes, values: Mapping[str, list[float]], title: str, label: str) -> None:
    _label(axes, title, label, "Clips")
    if not any(values.values()):
        axes.text(0.5, 0.5, UNKNOWN, ha="center", transform=axes.transAxes, color="grey")
        axes.set_xticks([])
        axes.set_yticks([])
        return
    axes.hist(
        list(values.values()), bins=30, stacked=True, color=[COLOURS[name] for name in values]
    )


def _phones(axes: Axes, phones: Mapping[str, Mapping[str, int]], least: int) -> None:
    rarest = sorted(phones.items(), key=lambda item: (-item[1]["train"], item[0]))
    for name, colour in COLOURS.items():
        # A phone that does not occur is a dot at half a count: a log axis has no zero.
        heights = [max(0.5, n[name]) for _, n in rarest]
        axes.plot(range(len(rarest)), heights, ".", markersize=4, color=colour)
    axes.axhline(least, color="grey", linewidth=0.8, linestyle="dotted")
    axes.set_yscale("log")
    axes.set_xticks(range(len(rarest)), [phone for phone, _ in rarest], fontsize=7)
    title = "Phones per split (dotted: recommended minimum in train)"
    _label(axes, title, "Phone", "Count (log scale)")


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
