"""Look at a branch as a reviewer would: is it fresh, can its data be had, has anything got worse.

    python -m fonoteka review [--base origin/main] [--page FILE] [--json FILE]

Reads   what `status`, `pull` and `diff` read
Writes  a page in Markdown on standard output, where it is asked to, and to $GITHUB_STEP_SUMMARY
        where that is set; exits 0 where all is well, 1 where something is stale or worse, 2 where
        it can't be decided

Data comes from the place to read, where one is named, and without any secret: what nobody but the
owner may open isn't pulled, and freshness is then read from `dvc.lock` alone. Each question is
asked by its own command, so that a person gets the same answer at home.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.files import write_text
from fonoteka.git import entered
from fonoteka.pipeline.remote.command import is_public
from fonoteka.pipeline.remote.urls import masked

MARK = "<!-- fonoteka: review -->"
"""The first line of the page, by which the workflow finds its comment again."""

MOST_CHARACTERS = 65_000  # GitHub accepts 65,536 in a comment

FINE, WORSE, UNDECIDED = 0, 1, 2
VERDICTS = {FINE: "all is well", WORSE: "something is stale or worse", UNDECIDED: "cannot decide"}


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    said: str
    complained: str


def run(base: str, *, page: Path | None = None, json: Path | None = None) -> int:
    """Print the page, write it where asked, and return the exit code of the verdict.

    Args:
        base: the revision to compare with.
        page: where to write the page too.
        json: where `diff` writes its verdict.
    """
    with entered():
        code, text = review(base, json)
    if page:
        write_text(page, fitting(text))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    print(text)
    return code


def review(base: str, verdict: Path | None = None) -> tuple[int, str]:
    """Return the verdict on the working tree as an exit code, and a page that says why."""
    pulled, data = _pull()
    fresh = ask("status") if pulled else ask("status", "--allow-missing")
    more = ["--json", str(verdict)] if verdict else []
    judged = ask("diff", "--base", base, *more)
    code = max(_known(fresh.code), _known(judged.code))
    parts = [
        MARK,
        f"## Review: {VERDICTS[code]}",
        "### Numbers",
        judged.said or _quoted(judged.complained),
        "### Freshness",
        f"`make status` exits {fresh.code}: {_MEANING[_known(fresh.code)]}. {data}",
        _quoted(fresh.said + fresh.complained),
    ]
    return code, "\n\n".join(parts)


_MEANING = {
    FINE: "every result is that of this code, these parameters and this data",
    WORSE: "something is stale; run make repro, commit dvc.lock and reports, and push the data",
    UNDECIDED: "it can't be decided",
}


def _known(code: int) -> int:
    """Return one of three exit codes: a command that ends otherwise has decided nothing.

    >>> [_known(code) for code in (0, 1, 2, -9)]
    [0, 1, 2, 2]
    """
    return code if code in VERDICTS else UNDECIDED


def _pull() -> tuple[bool, str]:
    """Pull where that takes no secret; return whether all data is here, and a sentence."""
    url = is_public(Path.cwd())
    if url is None:
        return False, "No public place to read data from is named, so none was pulled."
    done = ask("pull", "--no-run-cache")
    if done.code:
        return False, f"Data could not be pulled: {done.complained.strip()}"
    return True, f"Data was pulled from {masked(url)}."


def ask(command: str, *words: str) -> Answer:
    """Return the answer of a command."""
    done = subprocess.run(
        [sys.executable, "-m", "fonoteka", command, *words],
        capture_output=True, check=False, text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    return Answer(done.returncode, done.stdout.strip(), done.stderr.strip())


def fitting(page: str) -> str:
    """Return a page that is no longer than GitHub accepts as a comment.

    >>> len(fitting("a" * 100_000)) == MOST_CHARACTERS
    True
    """
    if len(page) <= MOST_CHARACTERS:
        return page
    cut = "\n\n(The rest is too long for a comment; it is in the summary of the run.)"
    return page[: MOST_CHARACTERS - len(cut)] + cut


def _quoted(text: str) -> str:
    """Return a text as Markdown shows it letter by letter, whatever is in it.

    >>> print(_quoted("a ``` b"))
    ````text
    a ``` b
    ````
    """
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
