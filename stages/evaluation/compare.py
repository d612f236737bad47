"""Put the models side by side: one table, one picture, one JSON for whoever reads on.

Reads   reports/metrics/<name>.json of each model, reports/corpus.json, reports/alignment.json
Writes  reports/comparison.json, reports/comparison.md, reports/comparison.png
Params  compare

Every row is the same test part. Where the test audio is spoken by a machine the table says so above
the numbers, since a reader of numbers does not read below them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from stages.common.cli import stage
from stages.common.files import atomic_file, read_json, write_json, write_text
from stages.common.params import load

KEPT = (
    "per", "per_low", "per_high", "segment_accuracy", "segment_accuracy_low",
    "segment_accuracy_high", "parameters", "encoder_parameters", "onnx_bytes", "onnx_head_bytes",
    "synthetic",
)  # fmt: skip


@dataclass(frozen=True)
class CompareParams:
    """Section `compare`.

    Attributes:
        title: above the table and the picture.
        dpi: of the picture.
    """

    title: str
    dpi: int


def compare(metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON that others read: one entry a model.

    Raises:
        ValueError: the models were not scored on the same test part.
    """
    tested = {(m["speakers"], m["utterances"], m["phones"]) for m in metrics.values()}
    if len(tested) != 1:
        raise ValueError(
            f"the models were scored on different test parts (speakers, utterances, phones): "
            f"{sorted(tested)}; run dvc repro"
        )
    return {
        "models": {
            name: {key: m[key] for key in KEPT}
            | {
                "test_speakers": m["speakers"], "test_utterances": m["utterances"],
                "languages": {k: v["per"] for k, v in m["languages"].items()},
                "sources": {k: v["per"] for k, v in m["sources"].items()},
            }
            for name, m in sorted(metrics.items())
        }
    }  # fmt: skip


def markdown(
    comparison: dict[str, Any], corpus: dict[str, Any], alignment: dict[str, Any], title: str
) -> str:
    """Return the table as Markdown, aligned so that it reads in a terminal too."""
    models = comparison["models"]
    first = next(iter(models.values()))
    languages, sources = list(first["languages"]), list(first["sources"])
    head = ["model", "PER", "95 %", "segment accuracy", *(f"PER {x}" for x in languages)]
    if len(sources) > 1:
        head += [f"PER {x}" for x in sources]
    head += ["parameters", "ONNX"]
    rows = []
    for name, m in models.items():
        row = [name, percent(m["per"]), interval(m["per_low"], m["per_high"])]
        row += [percent(m["segment_accuracy"])]
        row += [percent(m["languages"][x]) for x in languages]
        if len(sources) > 1:
            row += [percent(m["sources"][x]) for x in sources]
        row += [f"{m['parameters'] / 1e6:.2f} M", f"{m['onnx_bytes'] / 2**20:.1f} MiB"]
        rows.append(row)
    train = corpus["parts"]["train"]
    return "\n".join([
        f"# {title}", "",
        f"Test: {kind_of(models)}, {first['test_speakers']} voices none of the models has heard, "
        f"{first['test_utterances']} utterances. Train: {train['speakers']} voices, "
        f"{train['hours']:.2f} h.", "",
        *table(head, rows), "",
        "PER is the phone error rate of the greedy path; the interval is over speakers. Segment "
        "accuracy names each phone given where it is, on the same segments for every model. "
        "Parameters are the head's; the frozen encoder below it has "
        f"{first['encoder_parameters'] / 1e6:.2f} M. ONNX is encoder and head in one file.",
        *_times(alignment),
    ])  # fmt: skip


def kind_of(models: dict[str, Any]) -> str:
    """Return what the test part is made of: with one synthetic clip in it, not real speech."""
    return "synthetic speech" if any(m["synthetic"] for m in models.values()) else "real speech"


def _times(alignment: dict[str, Any]) -> list[str]:
    origins = {k: v for k, v in alignment["clips"].items() if v}
    said = ", ".join(f"{v} {k}" for k, v in sorted(origins.items()))
    error = alignment["forced_start_error"]
    lines = ["", f"Phone times (clips): {said}."]
    if error["clips"]:
        lines[1] += (
            f" Forced alignment, where it can be checked ({error['clips']} clips): median start "
            f"error {error['median_ms']} ms, 90 % within {error['p90_ms']} ms."
        )
    return lines


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table, first column left, the others right.

    >>> table(["a", "b"], [["x", "10"]])
    ['| a |  b |', '|---|---:|', '| x | 10 |']
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: list[str]) -> str:
        cells = [row[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(cells)} |"

    rule = "|" + "|".join(["-" * (widths[0] + 2), *("-" * (w + 1) + ":" for w in widths[1:])]) + "|"
    return [line(head), rule, *(line(row) for row in rows)]


def percent(value: float | None) -> str:
    """Return a share with one decimal.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '-')
    """
    return "-" if value is None else f"{100 * value:.1f} %"


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of shares, or a dash where one speaker allows none."""
    return "-" if low is None or high is None else f"{100 * low:.1f}-{100 * high:.1f}"


def picture(comparison: dict[str, Any], title: str, path: Path, dpi: int) -> None:
    """Draw PER with its interval, and PER by language, a colour a model."""
    models = comparison["models"]
    languages = list(next(iter(models.values()))["languages"])
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    width = 0.8 / len(models)
    for number, (name, m) in enumerate(models.items()):
        at = [x + (number - (len(models) - 1) / 2) * width for x in range(1 + len(languages))]
        heights = [100 * m["per"], *(100 * m["languages"][x] for x in languages)]
        axes.bar(at, heights, width * 0.92, label=name)
        tops = list(heights)
        if m["per_low"] is not None:
            axes.vlines(at[0], 100 * m["per_low"], 100 * m["per_high"], color="black")
            tops[0] = max(tops[0], 100 * m["per_high"])
        for x, height, top in zip(at, heights, tops, strict=True):
            axes.annotate(
                f"{height:.1f}", (x, top), (0, 2), textcoords="offset points", ha="center",
                fontsize=7,
            )  # fmt: skip
    axes.set_xticks(range(1 + len(languages)), ["all", *languages])
    axes.set_ylabel("phone error rate, %")
    axes.set_title(f"{title} ({kind_of(models)})")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with atomic_file(path) as part:
        # Without its own name and version in the file, equal pictures are equal bytes.
        figure.savefig(part, dpi=dpi, format="png", metadata={"Software": None})
    plt.close(figure)


def run(
    metrics: list[Path], corpus: Path, alignment: Path, out: Path, params: CompareParams
) -> None:
    """Write the comparison as JSON, Markdown and picture beside each other."""
    comparison = compare({path.stem: read_json(path) for path in metrics})
    text = markdown(comparison, read_json(corpus), read_json(alignment), params.title)
    picture(comparison, params.title, out.with_suffix(".png"), params.dpi)
    write_text(out.with_suffix(".md"), text)
    write_json(out, comparison)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path, nargs="+")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--alignment", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="comparison.json")
    args = parser.parse_args()
    params = load("compare", CompareParams)
    run(args.metrics, args.corpus, args.alignment, args.out, params)


if __name__ == "__main__":
    stage(main)
