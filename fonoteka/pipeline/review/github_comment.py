"""Keep one comment on a pull request up to date with a page.

    python -m fonoteka.pipeline.review.github_comment --page review.md

Reads   the page; GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL and GITHUB_EVENT_PATH, which
        GitHub sets where a workflow runs
Writes  a comment on the pull request: a new one the first time, the same one after that

A pull request from a fork runs without a token that may write, so that a stranger's code can't.
Nothing is posted then, and a notice says where the page is to be found.
"""

from __future__ import annotations

import argparse
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.run_stage import stage
from fonoteka.pipeline.review.command import MARK

MOST_CHARACTERS = 65_000  # GitHub takes 65,536
PER_PAGE = 100
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Request:
    """A pull request.

    Attributes:
        number: as people call it.
        source, target: repositories that it comes from and goes to; a source that was deleted is
            empty.
    """

    number: int
    source: str
    target: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="comment", description="comment on a pull request")
    parser.add_argument("--page", required=True, type=Path, metavar="FILE", help="Markdown")
    options = parser.parse_args(arguments)
    request = request_of(read_json(Path(_variable("GITHUB_EVENT_PATH"))))
    if request.source != request.target:
        print(notice(request))
        return
    if not options.page.is_file():
        raise UserError(f"{options.page}: no such page; fonoteka.pipeline.review.command writes it")
    api = Api(
        os.environ.get("GITHUB_API_URL", "https://api.github.com"), request.target,
        _variable("GITHUB_TOKEN"),
    )  # fmt: skip
    print(post(api, request.number, options.page.read_text(encoding="utf-8")))


def _variable(name: str) -> str:
    if not os.environ.get(name):
        raise UserError(f"{name} is not set; GitHub sets it where a workflow runs")
    return os.environ[name]


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the pull request of a workflow's event.

    Raises:
        ValueError: the event is of something else.
    """
    if "pull_request" not in event:
        raise UserError("the event is not of a pull request, so there is nothing to comment on")
    found = event["pull_request"]
    source = (found["head"].get("repo") or {}).get("full_name", "")
    return Request(found["number"], source, found["base"]["repo"]["full_name"])


def notice(request: Request) -> str:
    """Return why nothing is posted, in the form that GitHub shows beside the run."""
    return (
        f"::notice title=No comment::This pull request comes from the fork "
        f"{request.source or '(deleted)'}, whose runs get no token that may write here. The review "
        "is the same: it is in the summary of this run, and the run fails where it says so."
    )


class Api:
    """Comments of a repository, through GitHub's REST interface."""

    def __init__(self, url: str, repository: str, token: str) -> None:
        if not url.startswith(("https://", "http://127.0.0.1:")):
            raise UserError(f"GITHUB_API_URL is {url!r}; a token is sent by https:// only")
        self._base, self._token = f"{url.rstrip('/')}/repos/{repository}/issues", token

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the comments on a pull request, the oldest first."""
        page = 1
        while found := self._call("GET", f"{number}/comments?per_page={PER_PAGE}&page={page}"):
            yield from found
            if len(found) < PER_PAGE:
                return
            page += 1

    def create(self, number: int, body: str) -> None:
        """Add a comment."""
        self._call("POST", f"{number}/comments", body)

    def change(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""
        self._call("PATCH", f"comments/{comment}", body)

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        """Return what GitHub answers.

        Raises:
            ValueError: it refuses, or can't be reached.
        """
        asked = urllib.request.Request(  # noqa: S310  the scheme was looked at
            f"{self._base}/{path}",
            method=method,
            data=None if body is None else json.dumps({"body": body}).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "User-Agent": "fonoteka",
            },
        )
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                hint = (
                    "; the workflow needs 'pull-requests: write' among its permissions"
                    if error.code in (401, 403, 404)
                    else ""
                )
                raise UserError(
                    f"GitHub refuses to {method} {path}: {error.code} {error.reason}{hint}"
                ) from error
        except urllib.error.URLError as error:
            raise UserError(f"GitHub can't be reached at {self._base}: {error.reason}") from error


def post(api: Api, number: int, page: str) -> str:
    """Put a page into our comment on a pull request, and return what was done.

    A person may quote the mark, so only a program's comment that begins with it is ours.
    """
    body = fitting(page)
    for comment in api.comments(number):
        written = comment.get("user") or {}
        if written.get("type") == "Bot" and (comment.get("body") or "").startswith(MARK):
            api.change(comment["id"], body)
            return f"comment {comment['id']} on #{number} was updated"
    api.create(number, body)
    return f"a comment on #{number} was made"


def fitting(page: str) -> str:
    """Return a page that begins with the mark and is no longer than GitHub takes.

    >>> len(fitting("a" * 100_000)) <= MOST_CHARACTERS
    True
    """
    body = page if page.startswith(MARK) else f"{MARK}\n{page}"
    if len(body) <= MOST_CHARACTERS:
        return body
    cut = "\n\n(The rest is too long for a comment; it is in the summary of the run.)"
    return body[: MOST_CHARACTERS - len(cut)] + cut


if __name__ == "__main__":
    stage(main)
