"""Judge a branch: what it did to every metric, to the corpus and to the parameters.

    python -m fonoteka diff                 against main; on main itself, the commit before
    python -m fonoteka diff --base v1.2     against another revision

Reads   reports, dvc.yaml, dvc.lock and params.yaml, here and, through git, at the base; manifests
        of the parts, from dvc's cache
Writes  the verdict on standard output and where it is asked to; exits 0 where all is well, 1 where
        something got worse, 2 where either side can't be read

`compare_metric` decides whether a number is worse, here and in `make gate`. The gate adds whole
packages, and refuses a number past its limit even if it was past it before; this adds what is
needed to understand a change. If a report that dvc.lock names is missing, that side cannot be
compared, and the exit code is 2. `make status` checks whether the reports belong to this code and
these parameters.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json, write_text
from fonoteka.core.params import load
from fonoteka.git import entered
from fonoteka.pipeline.diff import metrics as diff_metrics
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.diff.corpus import corpus_change
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.pipeline.diff.page import FINE, REGRESSION, Param, Verdict, headline, page
from fonoteka.pipeline.diff.sides import at, working_tree
from fonoteka.pipeline.revision import Revision, revision_of, usual_base
from fonoteka.reporting.flatten import changes

CODES = {FINE: 0, REGRESSION: 1, UNDECIDED: 2}


def decide(params: GateParams, revision: Revision, plots: str) -> Verdict:
    """Return the verdict on the working tree.

    Raises:
        ValueError: there is no base to compare with.
    """
    if not revision.commit:
        raise UserError(f"base: {revision.said}, and a comparison needs two sides")
    here, base = working_tree(), at(revision)
    said, behind = revision.said, revision.missing_here()
    if problems := [*here.problems(), *base.problems()]:
        return Verdict(said, behind, UNDECIDED, problems, [], [], [], None, [], plots)
    rows = diff_metrics.rows(params.numbers, here, base)
    verdict = REGRESSION if any(row.regression for row in rows) else FINE
    if any(row.verdict == UNDECIDED for row in rows):
        verdict = UNDECIDED
    added, removed = diff_metrics.added_and_removed(here, base)
    params_changed = [Param(*change) for change in changes(base.params, here.params)]
    corpus = corpus_change(here, base)
    return Verdict(said, behind, verdict, [], rows, added, removed, corpus, params_changed, plots)


def pictures(base: str, folder: Path | None) -> str:
    """Draw both sides' plots into a folder with dvc, and return where they are.

    Without a folder nothing is drawn, and the command that would is returned. Pictures decide
    nothing, so a dvc that can't draw them is quoted, and no more.
    """
    command = ["plots", "diff", base]
    if folder is None:
        return f"Training curves, confusions and phones side by side: `dvc {' '.join(command)}`"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command, "--out", str(folder)],
        capture_output=True, check=False, text=True, encoding="utf-8",
    )  # fmt: skip
    if done.returncode or not (folder / "index.html").is_file():
        return f"dvc couldn't draw them: {' '.join((done.stderr or done.stdout).split())[-300:]}"
    return f"Training curves, confusions and phones side by side: {folder / 'index.html'}"


def run(
    base: str | None = None,
    *,
    markdown: Path | None = None,
    json: Path | None = None,
    plots: Path | None = None,
) -> int:
    """Print the verdict on the working tree, write it where asked, and return its exit code.

    Args:
        base: the revision to compare with; main by default, on main itself the commit before.
        markdown: where to write the page too.
        json: where to write the verdict as JSON.
        plots: the folder in which dvc draws the plots of both sides.

    Raises:
        ValueError: one of the two sides cannot be read.
    """
    with entered():
        revision = revision_of(usual_base() if base is None else base)
        found = decide(load("gate", GateParams), revision, "")
        found = Verdict(**vars(found) | {"plots": pictures(revision.name, plots)})
    print(page(found))
    if markdown:
        write_text(markdown, page(found))
    if json:
        write_json(json, asdict(found))
    if found.verdict != FINE:
        print(f"diff: {headline(found)}", file=sys.stderr)
    return CODES[found.verdict]
