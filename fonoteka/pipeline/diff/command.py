"""Compare a branch with its base: every metric, the corpus and the parameters.

    python -m fonoteka diff                 against main; on main itself, the commit before
    python -m fonoteka diff --base v1.2     against another revision

Reads   reports, dvc.yaml, dvc.lock and params.yaml, here and, through git, at the base; manifests
        of the splits, from dvc's cache
Writes  the report on standard output and to the requested files; exits 0 if nothing is worse, 1 if
        something is worse, 2 if either side cannot be read

`compare_metric` decides whether a number is worse, here and in `make gate`. The gate also checks
whole packages, and refuses a number past its limit even if it was past it before; this command
also shows what changed besides the numbers. If a report that dvc.lock names is missing, that side
cannot be compared, and the exit code is 2. `make status` checks whether the reports belong to this
code and these parameters.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json, write_text
from fonoteka.core.params import load
from fonoteka.git import entered
from fonoteka.pipeline.diff import metrics as diff_metrics
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.diff.corpus import corpus_change
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.pipeline.diff.page import (
    FINE,
    REGRESSION,
    BranchReport,
    ParamChange,
    headline,
    page,
)
from fonoteka.pipeline.diff.sides import committed, working_tree
from fonoteka.pipeline.revision import Revision, revision_of, usual_base
from fonoteka.reporting.flatten import changes

CODES = {FINE: 0, REGRESSION: 1, UNDECIDED: 2}


def compare(params: GateParams, revision: Revision, plots: str) -> BranchReport:
    """Return the comparison of the working tree with a revision.

    Raises:
        UserError: there is no base to compare with.
    """
    if not revision.commit:
        raise UserError(f"base: {revision.description}, and a comparison needs two sides")
    current, base = working_tree(), committed(revision)
    name, behind = revision.description, revision.missing_here()
    # A side that cannot be read gives no rows at all: a table of the rest would look complete.
    if problems := [*current.problems(), *base.problems()]:
        return BranchReport(name, behind, UNDECIDED, problems, [], [], [], None, [], plots)
    rows = diff_metrics.rows(params.numbers, current, base)
    verdict = REGRESSION if any(row.regression for row in rows) else FINE
    if any(row.verdict == UNDECIDED for row in rows):
        verdict = UNDECIDED
    added, removed = diff_metrics.added_and_removed(current, base)
    param_changes = [ParamChange(*change) for change in changes(base.params, current.params)]
    corpus = corpus_change(current, base)
    return BranchReport(
        name, behind, verdict, [], rows, added, removed, corpus, param_changes, plots
    )


def draw_plots(base: str, folder: Path | None) -> str:
    """Draw the plots of both sides into a folder with dvc, and return a sentence with its path.

    Without a folder nothing is drawn, and the sentence has the command that draws them. Plots do
    not affect the verdict, so an error of dvc is only quoted.
    """
    command = ["plots", "diff", base]
    if folder is None:
        return f"Training curves, confusions and phones of both sides: `dvc {' '.join(command)}`"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command, "--out", str(folder)],
        capture_output=True, check=False, text=True, encoding="utf-8",
    )  # fmt: skip
    if done.returncode or not (folder / "index.html").is_file():
        return (
            f"dvc could not draw the plots: {' '.join((done.stderr or done.stdout).split())[-300:]}"
        )
    return f"Training curves, confusions and phones of both sides: {folder / 'index.html'}"


def run(
    base: str | None = None,
    *,
    markdown: Path | None = None,
    json: Path | None = None,
    plots: Path | None = None,
) -> int:
    """Print the comparison of the working tree, write it to files, and return its exit code.

    Args:
        base: the revision to compare with; main by default, on main itself the commit before.
        markdown: a file for the page; None writes none.
        json: a file for the comparison as JSON; None writes none.
        plots: the folder in which dvc draws the plots of both sides.

    Raises:
        UserError: one of the two sides cannot be read.
    """
    with entered():
        revision = revision_of(usual_base() if base is None else base)
        report = compare(load("gate", GateParams), revision, "")
        report = replace(report, plots=draw_plots(revision.name, plots))
    print(page(report))
    if markdown:
        write_text(markdown, page(report))
    if json:
        write_json(json, asdict(report))
    if report.verdict != FINE:
        print(f"diff: {headline(report)}", file=sys.stderr)
    return CODES[report.verdict]
