"""The phone error rate of words that were cut at their times, as a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonoteka.reporting.markdown import table
from fonoteka.reporting.shares import percent

METHODS = {
    "aligner": "aligner",
    "plain_ctc": "plain CTC path",
    "aligner_50_ms_late": "50 ms late",
    "exact": "exact times",
}


def cut_word_page(report: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        report: reports/alignment_check.json.
    """
    recognisers = report["recognisers"]
    kind = "synthetic" if report["synthetic"] else "real"
    lines = [
        "# Words cut at their times",
        "",
        f"{report['words']} words of {report['clips']} test clips of {report['speakers']} speakers "
        f"({kind} speech), placed by {report['placed_by']}, cut out, and recognised one at a time. "
        "The numbers are phone error rates of the cuts; a worse time has a higher one.",
        "",
        cut_word_table(report),
        "",
        *(_difference(name, scores) for name, scores in recognisers.items()),
        "",
        "A recogniser that placed the words favours times that fit its own errors. Exact times are "
        'those of the corpus; they are what the others can reach. "50 ms late" are the aligner\'s '
        "times with a known error. A word alone is recognised worse than in its sentence.",
    ]
    return "\n".join(lines) + "\n"


def cut_word_table(report: Mapping[str, Any]) -> str:
    """Return a row per recogniser and corpus, and a column per method.

    >>> scores = {"per": 0.1, "per_low": 0.05, "per_high": 0.2, "words": 9, "sources": {"a": 0.1}}
    >>> report = {"placed_by": "y", "recognisers": {"x": dict.fromkeys(METHODS, scores)}}
    >>> report["recognisers"]["x"]["exact"] = None
    >>> print(cut_word_table(report))
    | recogniser   | corpus   |   aligner |   plain CTC path |   50 ms late |   exact times |
    |:-------------|:---------|----------:|-----------------:|-------------:|--------------:|
    | x            | a        |    10.0 % |           10.0 % |       10.0 % |             - |
    """
    rows = []
    for name, scores in report["recognisers"].items():
        title = f"{name}, which placed them" if name == report["placed_by"] else name
        for source in scores["aligner"]["sources"]:
            rates = ((scores[method] or {"sources": {}})["sources"] for method in METHODS)
            rows.append([title, source, *(percent(rate.get(source)) for rate in rates)])
    return table(["recogniser", "corpus", *METHODS.values()], rows, left=(0, 1))


def _difference(name: str, scores: Mapping[str, Any]) -> str:
    difference = scores["aligner_minus_plain_ctc"]
    low, high = difference["low"], difference["high"]
    bounds = "" if low is None else f" (95 % CI: {100 * low:+.1f} to {100 * high:+.1f})"
    return (
        f"- {name}: PER of the aligner's cuts minus that of the plain path's: "
        f"{100 * difference['difference']:+.1f} points{bounds}."
    )
