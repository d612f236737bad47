"""Check a branch for a reviewer: is it fresh, is its data available, is anything worse.

    python -m fonoteka review [--base origin/main] [--page FILE] [--json FILE]

Reads   the inputs of `status`, `pull` and `diff`
Writes  a page in Markdown on standard output, to the requested file, and to $GITHUB_STEP_SUMMARY if
        that is set; exits 0 if nothing is stale or worse, 1 if something is, 2 if it cannot be
        decided

Data is pulled from the public remote, if there is one, without any secret. Data that only its owner
may read is not pulled, and then freshness is determined from `dvc.lock` alone. Each part is the
output of its own command, so a developer gets the same result locally.
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
"""The first line of the page, by which the workflow finds its comment."""

MOST_CHARACTERS = 65_000  # GitHub accepts 65,536 in a comment

FINE, WORSE, UNDECIDED = 0, 1, 2
VERDICTS = {FINE: "all is well", WORSE: "something is stale or worse", UNDECIDED: "cannot decide"}


@dataclass(frozen=True)
class CommandOutput:
    """The exit code, stdout and stderr of a command."""

    code: int
    stdout: str
    stderr: str


def run(base: str, *, page: Path | None = None, json: Path | None = None) -> int:
    """Print the page, write it to files, and return the exit code of the verdict.

    Args:
        base: the revision to compare with.
        page: a file for the page; None writes none.
        json: the file in which `diff` writes its JSON; None writes none.
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
    """Return the verdict on the working tree as an exit code, and a page with the reasons."""
    pulled, data = _pull()
    status = run_tool("status") if pulled else run_tool("status", "--allow-missing")
    options = ["--json", str(verdict)] if verdict else []
    diff = run_tool("diff", "--base", base, *options)
    code = max(_verdict(status.code), _verdict(diff.code))
    parts = [
        MARK,
        f"## Review: {VERDICTS[code]}",
        "### Numbers",
        diff.stdout or _quoted(diff.stderr),
        "### Freshness",
        f"`make status` exits {status.code}: {_MEANING[_verdict(status.code)]}. {data}",
        _quoted(status.stdout + status.stderr),
    ]
    return code, "\n\n".join(parts)


_MEANING = {
    FINE: "every result belongs to this code, these parameters and this data",
    WORSE: "something is stale; run make repro, commit dvc.lock and reports, and push the data",
    UNDECIDED: "it cannot be decided",
}


def _verdict(code: int) -> int:
    """Return one of three exit codes: any other code of a command decides nothing.

    >>> [_verdict(code) for code in (0, 1, 2, -9)]
    [0, 1, 2, 2]
    """
    return code if code in VERDICTS else UNDECIDED


def _pull() -> tuple[bool, str]:
    """Pull from a public remote; return whether all data is here, and a sentence."""
    url = is_public(Path.cwd())
    if url is None:
        return False, "There is no public remote, so no data was pulled."
    pull = run_tool("pull", "--no-run-cache")
    if pull.code:
        return False, f"Data could not be pulled: {pull.stderr.strip()}"
    return True, f"Data was pulled from {masked(url)}."


def run_tool(command: str, *arguments: str) -> CommandOutput:
    """Run a command of fonoteka and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "fonoteka", command, *arguments],
        capture_output=True, check=False, text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    return CommandOutput(done.returncode, done.stdout.strip(), done.stderr.strip())


def fitting(page: str) -> str:
    """Return a page, cut to the length that GitHub accepts as a comment.

    >>> len(fitting("a" * 100_000)) == MOST_CHARACTERS
    True
    """
    if len(page) <= MOST_CHARACTERS:
        return page
    cut = "\n\n(The rest is in the summary of the run, because a comment is limited in length.)"
    return page[: MOST_CHARACTERS - len(cut)] + cut


def _quoted(text: str) -> str:
    """Return a text as a Markdown code block, with a fence that the text does not contain.

    >>> print(_quoted("a ``` b"))
    ````text
    a ``` b
    ````
    """
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}\n{fence}"
