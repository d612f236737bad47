"""Data goes to five kinds of places and comes back to another folder, where nothing is run again.

What travels is the whole pipeline on the small profile, so that what is proven is what a colleague
does. The servers are real ones, on loopback.
"""

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import servers
from clones import GIT, PYTHON, Clone, committed
from imports import pipeline
from servers import Server

pytestmark = pytest.mark.pipeline

KINDS = ("folder", "http", "s3", "sftp", "sshd", "webdav")
UP_TO_DATE = f"everything is up to date: {len(pipeline())} stages\n"
TAG = "wavlm_ctc@v1.0.0"
SPLIT = "data/splits/test.jsonl"


@dataclass
class Story:
    """A repository whose data lies on a server, and what was said when it was sent there."""

    publisher: Clone
    server: Server
    said: list[str]
    folder: Path

    def colleague(self, name: str) -> Clone:
        """Return a clone without any data that may open the server."""
        return clone_of(self.publisher, self.folder / name, self.server)


def clone_of(publisher, folder, server):
    publisher.run(*GIT, "clone", "--quiet", str(publisher.folder), str(folder))
    clone = Clone(folder)
    clone.environment |= server.environment
    for option, value in server.secrets.items():
        secret(clone, option, value)
    return clone


def secret(clone, option, value, *more):
    """Give a secret as a program does, through the environment."""
    clone.environment["FONOTEKA_SECRET"] = value
    try:
        return remote(clone, "--secret", option, *more)
    finally:
        del clone.environment["FONOTEKA_SECRET"]


def remote(clone, *arguments):
    return clone.run(*PYTHON, "stages.tools.remote", *arguments)


def transfer(clone, *arguments):
    return clone.run(*PYTHON, "stages.tools.transfer", *arguments)


@pytest.fixture(scope="module")
def publisher(tmp_path_factory):
    return committed(tmp_path_factory, tmp_path_factory.mktemp("publisher") / "fonoteka")


@pytest.fixture(scope="module", params=KINDS)
def story(request, publisher, tmp_path_factory):
    """Name a place, send all data there, commit and tag: what the owner of the data does."""
    here = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        server = stack.enter_context(getattr(servers, request.param)(here))
        (publisher / ".dvc/config.local").unlink(missing_ok=True)
        old = publisher.environment
        publisher.environment = old | server.environment
        if request.param == "http":
            remote(publisher, "--read", server.url, "--write", str(here / "store"))
        else:
            remote(publisher, "--url", server.url, *server.options)
        for option, value in server.secrets.items():
            secret(publisher, option, value)
        said = [transfer(publisher, "push"), transfer(publisher, "push")]
        publisher.git("commit", "--quiet", "--message", request.param, "--", ".dvc/config")
        publisher.git("tag", "--force", "--annotate", TAG, "--message", "a release")
        yield Story(publisher, server, said, here)
        publisher.environment = old


def test_all_is_sent_once(story):
    first, second = story.said
    assert int(re.match(r"pushed (\d+) files and \d\d runs to storage", first)[1]) > 100
    assert second.startswith("pushed 0 files ")


def test_a_colleague_gets_all_with_the_run_cache_and_runs_nothing(story):
    clone = story.colleague("with")
    assert re.match(r"pulled \d+ files", transfer(clone, "pull"))
    assert clone.repro() == UP_TO_DATE
    assert not clone.git("status", "--porcelain")
    # By HTTP nothing can be listed, so the run-cache doesn't travel that way.
    travels = not story.server.url.startswith("http")
    assert any((clone / ".dvc/cache/runs").rglob("*")) == travels


def test_one_data_set_comes_alone_and_the_rest_without_the_run_cache(story):
    clone = story.colleague("without")
    clone.dvc("pull", "data/raw/embedded")
    assert [path.name for path in (clone / "data").iterdir() if path.is_dir()] == ["raw"]
    assert any((clone / "data/raw/embedded").rglob("*.flac"))
    transfer(clone, "pull", "--no-run-cache", SPLIT)
    assert [path.name for path in (clone / "data/splits").iterdir()] == ["test.jsonl"]
    transfer(clone, "pull", "--no-run-cache")
    assert not any((clone / ".dvc/cache/runs").rglob("*"))
    assert "Data and pipelines are up to date." in clone.dvc("repro")


def test_one_file_and_one_model_come_at_a_tag_without_the_rest(story, tmp_path):
    outside = Clone(tmp_path)
    outside.environment |= story.server.environment
    # dvc clones the repository, where .dvc/config.local isn't: what opens the place is given anew.
    opens = story.publisher / ".dvc/config.local"
    (tmp_path / "opens").write_bytes(opens.read_bytes() if opens.exists() else b"")
    where = ["--config", "opens"]
    top = str(story.publisher.folder)
    outside.dvc("get", top, SPLIT, "--rev", TAG, "--out", "got.jsonl", *where)
    expected = (story.publisher / SPLIT).read_bytes()
    assert (tmp_path / "got.jsonl").read_bytes() == expected

    script = (
        "import json, sys, dvc.api; path, repo, rev, opens = sys.argv[1:]; "
        "from dvc.config import Config; "
        "sys.stdout.write(dvc.api.read(path, repo=repo, rev=rev, encoding='utf-8', "
        "config=Config.load_file(opens)))"
    )
    assert outside.run(PYTHON[0], "-c", script, SPLIT, top, TAG, "opens").encode() == expected

    outside.dvc("artifacts", "get", top, "wavlm_ctc", "--rev", "v1.0.0", "--out", "model", *where)
    got = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    kept = story.publisher / "data/models/wavlm_ctc"
    assert got == {path.name: path.read_bytes() for path in kept.iterdir()}
    assert json.loads(got["package.json"])


def test_what_is_committed_holds_no_secret(story):
    clone = story.colleague("secrets")
    listed = clone.git("ls-files").splitlines()
    assert ".dvc/config" in listed
    assert ".dvc/config.local" not in listed
    config = (clone / ".dvc/config").read_text()
    assert servers.WORD not in config
    assert story.server.secrets.get("keyfile", servers.WORD) not in config
    if story.server.secrets:
        assert (clone / ".dvc/config.local").stat().st_mode & 0o777 == 0o600
