"""Write a comparison as Markdown, for a terminal and for a comment in a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fonoteka.pipeline.diff.compare_metric import SAME, UNDECIDED, WORSE
from fonoteka.pipeline.diff.corpus import COUNTS, CorpusChange
from fonoteka.pipeline.diff.metrics import MetricRow
from fonoteka.pipeline.diff.significance import APART, ConfidenceInterval
from fonoteka.reporting.markdown import table

FINE, REGRESSION = "fine", "regression"
HEADER = ("number", "old", "new", "difference", "95 %", "tolerance", "better", "verdict")
MOST_NAMES = 20


@dataclass(frozen=True)
class ParamChange:
    """A value of params.yaml that changed; empty if that side does not have it."""

    key: str
    old: str
    new: str


@dataclass(frozen=True)
class BranchReport:
    """The comparison of a branch with its base.

    Attributes:
        base: the revision to compare with.
        behind: number of commits of the base that the branch does not have.
        verdict: fine, regression or undecided.
        problems: why it cannot be decided, in addition to undecided rows.
        rows: every metric.
        models_added, models_removed: their names.
        corpus: the difference of the corpus; None if it cannot be read.
        params: the values of params.yaml that changed.
        plots: a sentence with the path of the plots, or with the command that draws them.
    """

    base: str
    behind: int
    verdict: str
    problems: list[str]
    rows: list[MetricRow]
    models_added: list[str]
    models_removed: list[str]
    corpus: CorpusChange | None
    params: list[ParamChange]
    plots: str


def page(report: BranchReport) -> str:
    """Return the whole page."""
    parts = [f"## {headline(report)}", *_reasons(report), *_behind(report)]
    if report.rows:
        parts += [
            "### Metrics",
            *_models(report),
            *_retested(report.corpus),
            *_metrics(report.rows),
        ]
    if report.corpus:
        parts += ["### Corpus", *_corpus(report.corpus)]
    if not report.problems:
        parts += ["### Parameters", *_params(report.params)]
    parts += ["### Plots", report.plots]
    return "\n\n".join(parts)


def headline(report: BranchReport) -> str:
    """Return the verdict in one line."""
    named = [row.number for row in report.rows if row.regression]
    if report.verdict == UNDECIDED:
        return f"Cannot be decided against {report.base}"
    if report.verdict == REGRESSION:
        count = "A regression" if len(named) == 1 else f"{len(named)} regressions"
        return f"{count} against {report.base}: {names(named)}"
    return f"No regression against {report.base}"


def names(entries: Sequence[str]) -> str:
    """Return names in one line, at most the first twenty of them.

    >>> names(["a", "b"])
    'a, b'
    """
    more = len(entries) - MOST_NAMES
    return ", ".join(entries[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """Return a table: columns in `left` are aligned left, others right; empty cells get a dash.

    >>> print(markdown(["a", "b"], [["x", ""]], left=[0]))
    | a   |   b |
    |:----|----:|
    | x   |   - |
    """
    return table(header, [[cell or "-" for cell in row] for row in rows], left)


def _reasons(report: BranchReport) -> list[str]:
    lines = [f"- {problem}" for problem in report.problems]
    lines += [f"- {row.number}: {row.reason}" for row in report.rows if row.regression]
    lines += [
        f"- cannot be decided: {row.number}: {row.reason}"
        for row in report.rows
        if row.verdict == UNDECIDED
    ]
    return ["\n".join(lines)] if lines else []


def _behind(report: BranchReport) -> list[str]:
    if not report.behind:
        return []
    return [
        f"{report.base} has {report.behind} commits that are not in this branch, so their "
        "improvements appear here as regressions. Merge it first, or compare with the merge base: "
        "`BASE=$(git merge-base main HEAD)`."
    ]


def _models(report: BranchReport) -> list[str]:
    sentences = []
    if report.models_added:
        sentences.append(f"Models added: {names(report.models_added)}.")
    if report.models_removed:
        sentences.append(f"Models removed: {names(report.models_removed)}.")
    return [" ".join(sentences)] if sentences else []


def _retested(corpus: CorpusChange | None) -> list[str]:
    if corpus is None or corpus.same_test:
        return []
    return [
        "The test split differs: old and new were measured on different speech, and no interval is "
        "paired."
    ]


def _metrics(rows: Sequence[MetricRow]) -> list[str]:
    """Return the table of metrics that count or changed, and the others folded away."""
    first = [row for row in rows if row.counts or row.verdict != SAME]
    rest = [row for row in rows if row not in first]
    parts = [markdown(HEADER, map(_cells, first), left=[0, 6, 7]), _legend(rows)]
    if rest:
        folded = markdown(HEADER, map(_cells, rest), left=[0, 6, 7])
        summary = f"{len(rest)} more without a tolerance, which are the same"
        parts.append(f"<details><summary>{summary}</summary>\n\n{folded}\n\n</details>")
    return parts


def _cells(row: MetricRow) -> list[str]:
    interval = ""
    if row.low is not None and row.high is not None:
        mark = " *" if row.interval == APART else ""
        interval = f"{ConfidenceInterval(row.low, row.high, row.interval).text}{mark}"
    return [
        row.number, row.old, row.new, row.difference, interval, row.tolerance, row.direction,
        _verdict_cell(row),
    ]  # fmt: skip


def _verdict_cell(row: MetricRow) -> str:
    """Return the last cell of a row: its verdict, in bold if it is a regression."""
    if row.regression:
        return f"**{row.verdict if row.verdict == WORSE else 'past its limit'}**"
    if row.counts and row.reason and row.verdict != UNDECIDED:
        return f"{row.verdict}, past its limit as before"
    return f"{row.verdict}, not gated" if row.verdict == WORSE else row.verdict


def _legend(rows: Sequence[MetricRow]) -> str:
    text = (
        "A difference within the tolerance, or whose 95 % interval contains 0, counts as the same. "
        "The interval is a bootstrap over the test speakers, with the same draws on both sides."
    )
    if any(row.interval == APART for row in rows):
        text += (
            " With a star it is computed from the two sides' own intervals as if they were"
            " independent, which makes it too wide."
        )
    return text


def _corpus(change: CorpusChange) -> list[str]:
    if not change.changed and not change.unknown:
        return ["No change: the splits contain the same clips."]
    cells = [
        [
            part,
            *(
                new if old == new else f"{old or '-'} -> {new or '-'}"
                for old, new in pairs.values()
            ),
        ]
        for part, pairs in change.parts.items()
    ]
    parts = [markdown(("split", *COUNTS), cells, left=[0])]
    if change.unknown:
        return [*parts, f"The clips and speakers cannot be listed: {change.unknown}."]
    parts.append(
        f"Clips added: {change.clips_in} ({change.hours_in} h), removed: {change.clips_out} "
        f"({change.hours_out} h), moved to another split: {change.clips_moved}. "
        f"Speakers added: {names(change.speakers_in) or 'none'}; "
        f"removed: {names(change.speakers_out) or 'none'}."
    )
    return parts


def _params(changes: Sequence[ParamChange]) -> list[str]:
    if not changes:
        return ["No change in params.yaml."]
    cells = [[f"`{p.key}`", _code(p.old), _code(p.new)] for p in changes]
    parts = [markdown(("key", "old", "new"), cells, left=[0, 1, 2])]
    if any(change.key.startswith("gate.") for change in changes):
        parts.insert(0, "This branch also changes the gate: see section `gate`.")
    return parts


def _code(value: str) -> str:
    return f"`{value}`" if value else ""
