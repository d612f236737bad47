"""Lay out a verdict in Markdown, for a terminal and for a comment in a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fonoteka.pipeline.diff.compare_metric import SAME, UNDECIDED, WORSE
from fonoteka.pipeline.diff.corpus import COUNTS, CorpusChange
from fonoteka.pipeline.diff.metrics import Row
from fonoteka.pipeline.diff.significance import APART, Chance

FINE, REGRESSION = "fine", "regression"
HEADER = ("number", "old", "new", "difference", "95 %", "tolerance", "better", "verdict")
MOST_NAMES = 20


@dataclass(frozen=True)
class Param:
    """A value of params.yaml that changed; empty where that side hasn't it."""

    key: str
    old: str
    new: str


@dataclass(frozen=True)
class Verdict:
    """What came of a comparison.

    Attributes:
        base: the revision that was compared with.
        behind: commits of the base that the branch doesn't have.
        verdict: fine, regression or undecided.
        problems: why it can't be decided, beside undecided rows.
        rows: every metric.
        models_added, models_removed: their names.
        corpus: what became of it; None where it can't be read.
        params: what changed in params.yaml.
        plots: where the pictures are, or how to make them.
    """

    base: str
    behind: int
    verdict: str
    problems: list[str]
    rows: list[Row]
    models_added: list[str]
    models_removed: list[str]
    corpus: CorpusChange | None
    params: list[Param]
    plots: str


def page(found: Verdict) -> str:
    """Return the whole page."""
    parts = [f"## {headline(found)}", *_reasons(found), *_behind(found)]
    if found.rows:
        parts += ["### Metrics", *_models(found), *_retested(found.corpus), *_metrics(found.rows)]
    if found.corpus:
        parts += ["### Corpus", *_corpus(found.corpus)]
    if not found.problems:
        parts += ["### Parameters", *_params(found.params)]
    parts += ["### Pictures", found.plots]
    return "\n\n".join(parts)


def headline(found: Verdict) -> str:
    """Return the verdict in a line."""
    named = [row.number for row in found.rows if row.regression]
    if found.verdict == UNDECIDED:
        return f"Can't be decided against {found.base}"
    if found.verdict == REGRESSION:
        many = "a regression" if len(named) == 1 else f"{len(named)} regressions"
        return f"{many[0].upper()}{many[1:]} against {found.base}: {names(named)}"
    return f"No regression against {found.base}"


def names(of: Sequence[str]) -> str:
    """Return names, the first twenty of them where they are more.

    >>> names(["a", "b"])
    'a, b'
    """
    more = len(of) - MOST_NAMES
    return ", ".join(of[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int]) -> str:
    """Return a table: columns of `left` stand left, the others right; empty cells get a dash.

    >>> print(markdown(["a", "b"], [["x", ""]], left=[0]))
    | a   |   b |
    |-----|----:|
    | x   |   - |
    """
    cells = [[cell.replace("|", "\\|") or "-" for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ) + " |"
        for line in cells
    ]  # fmt: skip
    rule = ["-" * (w + 2) if i in left else "-" * (w + 1) + ":" for i, w in enumerate(widths)]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _reasons(found: Verdict) -> list[str]:
    told = [f"- {problem}" for problem in found.problems]
    told += [f"- {row.number}: {row.reason}" for row in found.rows if row.regression]
    told += [
        f"- can't be decided: {row.number}: {row.reason}"
        for row in found.rows
        if row.verdict == UNDECIDED
    ]
    return ["\n".join(told)] if told else []


def _behind(found: Verdict) -> list[str]:
    if not found.behind:
        return []
    return [
        f"{found.base} has {found.behind} commits that are not in this branch: what they made "
        "better reads here as worse. Merge it first, or compare with where the branch began: "
        "`BASE=$(git merge-base main HEAD)`."
    ]


def _models(found: Verdict) -> list[str]:
    told = []
    if found.models_added:
        told.append(f"Models added: {names(found.models_added)}.")
    if found.models_removed:
        told.append(f"Models removed: {names(found.models_removed)}.")
    return [" ".join(told)] if told else []


def _retested(corpus: CorpusChange | None) -> list[str]:
    if corpus is None or corpus.same_test:
        return []
    return [
        "The test part is another one: old and new were measured on different speech, and no "
        "interval is paired."
    ]


def _metrics(rows: Sequence[Row]) -> list[str]:
    """Return the table of what counts or changed, and the rest folded away."""
    first = [row for row in rows if row.counts or row.verdict != SAME]
    rest = [row for row in rows if row not in first]
    told = [markdown(HEADER, map(_cells, first), left=[0, 6, 7]), _legend(rows)]
    if rest:
        folded = markdown(HEADER, map(_cells, rest), left=[0, 6, 7])
        what = f"{len(rest)} more, which nobody set a tolerance for and which are the same"
        told.append(f"<details><summary>{what}</summary>\n\n{folded}\n\n</details>")
    return told


def _cells(row: Row) -> list[str]:
    interval = ""
    if row.low is not None and row.high is not None:
        mark = " *" if row.interval == APART else ""
        interval = f"{Chance(row.low, row.high, row.interval).said}{mark}"
    return [
        row.number, row.old, row.new, row.difference, interval, row.tolerance, row.direction,
        _said(row),
    ]  # fmt: skip


def _said(row: Row) -> str:
    """Return a row's verdict as a person reads it."""
    if row.regression:
        return f"**{row.verdict if row.verdict == WORSE else 'past its limit'}**"
    if row.counts and row.reason and row.verdict != UNDECIDED:
        return f"{row.verdict}, past its limit as before"
    return f"{row.verdict}, not asked about" if row.verdict == WORSE else row.verdict


def _legend(rows: Sequence[Row]) -> str:
    said = (
        "A difference within the tolerance, or whose 95 % interval holds 0, is the same. The "
        "interval is over draws of the test speakers, the same draws on both sides."
    )
    if any(row.interval == APART for row in rows):
        said += (
            " With a star it is made of the two sides' own intervals as if each had speakers of its"
            " own, and wider than need be."
        )
    return said


def _corpus(found: CorpusChange) -> list[str]:
    if not found.changed and not found.unknown:
        return ["No change: the parts hold the same clips."]
    cells = [
        [
            part,
            *(new if old == new else f"{old or '-'} -> {new or '-'}" for old, new in of.values()),
        ]
        for part, of in found.parts.items()
    ]
    told = [markdown(("part", *COUNTS), cells, left=[0])]
    if found.unknown:
        return [*told, f"Which clips and speakers came or went isn't known: {found.unknown}."]
    told.append(
        f"Clips in: {found.clips_in} ({found.hours_in} h), out: {found.clips_out} "
        f"({found.hours_out} h), into another part: {found.clips_moved}. "
        f"Speakers in: {names(found.speakers_in) or 'none'}; "
        f"out: {names(found.speakers_out) or 'none'}."
    )
    return told


def _params(changes: Sequence[Param]) -> list[str]:
    if not changes:
        return ["No change in params.yaml."]
    cells = [[f"`{p.key}`", _code(p.old), _code(p.new)] for p in changes]
    told = [markdown(("key", "old", "new"), cells, left=[0, 1, 2])]
    if any(change.key.startswith("gate.") for change in changes):
        told.insert(0, "What is asked of the numbers was changed in the same branch: see `gate`.")
    return told


def _code(value: str) -> str:
    return f"`{value}`" if value else ""
