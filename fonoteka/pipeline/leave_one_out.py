"""Leave one speaker out: one experiment per speaker, who alone is the test split.

    python -m fonoteka folds --corpus fsdd            # shows the commands
    python -m fonoteka folds --corpus fsdd --queue    # queues them; then: dvc queue start

Reads   speakers.csv of stage split
Writes  nothing; with --queue one DVC experiment per fold

A fold is a value of `split.held_out`, not a folder of manifests: encoders are pretrained and models
are chosen on the training and validation splits, so each fold needs the whole pipeline, and DVC
stores, compares (`dvc exp show`) and caches it as any other run. Speakers of one speaker group are
one fold.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.tables import Row, read_table


def folds(rows: Sequence[Row], corpus: str) -> list[str]:
    """Return the first speaker of each fold, sorted.

    Args:
        rows: with columns `speaker` and `together`, the first speaker of the speaker group.
        corpus: return only folds with a speaker of this corpus; all if empty.

    Raises:
        ValueError: no speaker is of that corpus.
    """
    groups = {
        row["together"] for row in rows if not corpus or row["speaker"].startswith(f"{corpus}/")
    }
    if not groups:
        corpora = sorted({row["speaker"].partition("/")[0] for row in rows})
        raise UserError(f"--corpus {corpus!r}: no speaker is of that corpus; there are {corpora}")
    return sorted(groups)


def override(speaker: str) -> str:
    r"""Return the setting of a fold for DVC's `--set-param`, with any characters in the name.

    >>> print(override("fsdd/theo"), override("c/Ana d'Or"))
    split.held_out='fsdd/theo' split.held_out='c/Ana d\'Or'
    """
    # A backslash is an escape only before a quote, so only there it is doubled.
    quoted = re.sub(
        r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), speaker, flags=re.ASCII
    )
    return f"split.held_out='{quoted}'"


def commands(speakers: Sequence[str]) -> list[list[str]]:
    """Return the command that queues each fold, under a name that git allows.

    >>> commands(["c/Ana M."])[0][-3:]
    ['fold-1-c-Ana-M', '--set-param', "split.held_out='c/Ana M.'"]
    """
    names = [re.sub(r"[^A-Za-z0-9]+", "-", speaker).strip("-") for speaker in speakers]
    return [
        ["dvc", "exp", "run", "--queue", "--name", f"fold-{number}-{name}", "--set-param",
         override(speaker)]
        for number, (name, speaker) in enumerate(zip(names, speakers, strict=True), start=1)
    ]  # fmt: skip


def run(speakers: Path, *, corpus: str, queue: bool) -> None:
    """Print the command of each fold, and with `queue` run it.

    Raises:
        ValueError: no speaker is of that corpus, or a command fails.
    """
    chosen = folds(read_table(speakers, ("speaker", "together")), corpus)
    for command in commands(chosen):
        print(shlex.join(command))
        if queue:
            done = subprocess.run([sys.executable, "-m", *command], check=False)
            if done.returncode:
                raise UserError(f"{shlex.join(command)} failed; its output is above")
