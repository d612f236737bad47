"""Look at a branch as a reviewer would: is it fresh, can its data be had, has anything got worse.

    make review [BASE=origin/main]
    python -m fonoteka.pipeline.review.command [--base REV] [--page FILE] [--json FILE]

Reads   what make status, make pull and make diff read
Writes  a page in Markdown on standard output, where it is asked to, and to $GITHUB_STEP_SUMMARY
        where that is set; exits 0 where all is well, 1 where something is stale or worse, 2 where
        it can't be decided

Data comes from the place to read, where one is named, and without any secret: what nobody but the
owner may open isn't pulled, and freshness is then read from `dvc.lock` alone. Each question is
asked by its own command, so that a person gets the same answer at home.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.files import write_text
from fonoteka.core.run_stage import stage
from fonoteka.git import entered, given_path
from fonoteka.pipeline.remote.command import is_public
from fonoteka.pipeline.remote.urls import masked

MARK = "<!-- fonoteka: review -->"
"""The first line of the page, by which the workflow finds its comment again."""

MOST_CHARACTERS = 65_000  # GitHub accepts 65,536 in a comment

MODULES = {
    "status": "fonoteka.pipeline.status.command", "diff": "fonoteka.pipeline.diff.command",
    "transfer": "fonoteka.pipeline.remote.transfer",
}  # fmt: skip
"""What is run for each command that the page asks."""

FINE, WORSE, UNDECIDED = 0, 1, 2
VERDICTS = {FINE: "all is well", WORSE: "something is stale or worse", UNDECIDED: "cannot decide"}


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    said: str
    complained: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the verdict."""
    parser = argparse.ArgumentParser(prog="review", description="look at a branch as a reviewer")
    parser.add_argument("--base", default="origin/main", metavar="REV", help="(%(default)s)")
    parser.add_argument(
        "--page", type=given_path, metavar="FILE", help="write the page there too, for a comment"
    )
    parser.add_argument("--json", type=given_path, metavar="FILE", help="the verdict of make diff")
    options = parser.parse_args(arguments)
    with entered():
        code, text = review(options.base, options.json)
    if options.page:
        write_text(options.page, fitting(text))
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    print(text)
    sys.exit(code)


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
    done = ask("transfer", "pull", "--no-run-cache")
    if done.code:
        return False, f"Data could not be pulled: {done.complained.strip()}"
    return True, f"Data was pulled from {masked(url)}."


def ask(tool: str, *words: str) -> Answer:
    """Return the answer of one of `MODULES`."""
    done = subprocess.run(
        [sys.executable, "-m", MODULES[tool], *words],
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


if __name__ == "__main__":
    stage(main)
