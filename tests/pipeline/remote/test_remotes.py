"""Data travels to five kinds of places and back to another folder, and no stage runs again.

What travels here is a repository of three stages; test_remotes_pipeline.py sends the whole pipeline
through the same tests. The servers are real ones, on loopback.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import servers
from clones import GIT, PYTHON, Clone
from dvc_yaml import TOP
from forks import CLIENTS, ForkedClone, imported
from servers import Server
from toy import copied

pytestmark = pytest.mark.dvc

KINDS = ("http", "s3", "sftp", "sshd", "webdav")
TAG = "wavlm_ctc@v1.0.0"
SPLIT = "data/splits/test.jsonl"
# Paths as in dvc.yaml of this repository, so that the tests are the same for both.
STAGES = """
stages:
  synthesize:
    cmd: >-
      mkdir -p data/raw/embedded &&
      for n in $(cat texts.txt); do echo $n > data/raw/embedded/$n.flac; done
    deps: [texts.txt]
    outs: [data/raw/embedded]
  split:
    cmd: >-
      mkdir -p data/splits && cat data/raw/*/1.flac > data/splits/test.jsonl &&
      cat data/raw/*/[23].flac > data/splits/train.jsonl
    deps: [data/raw]
    outs: [data/splits/test.jsonl, data/splits/train.jsonl]
  train:
    cmd: >-
      mkdir -p data/models/wavlm_ctc &&
      sort -r data/splits/train.jsonl > data/models/wavlm_ctc/model.onnx &&
      echo '{"name":"wavlm_ctc"}' > data/models/wavlm_ctc/package.json
    deps: [data/splits/train.jsonl]
    outs: [data/models/wavlm_ctc/model.onnx, data/models/wavlm_ctc/package.json]
artifacts:
  wavlm_ctc:
    path: data/models/wavlm_ctc
    type: model
"""


@dataclass
class Story:
    """A repository whose data lies on a server, and what the two pushes there printed.

    Attributes:
        publisher: the repository.
        server: where its data lies.
        output: of the first and of the second push.
        folder: for clones.
        files: how many files the first push may have sent.
        runs: how many runs.
        stages: of the pipeline.
    """

    publisher: Clone
    server: Server
    output: list[str]
    folder: Path
    files: range
    runs: range
    stages: int

    def colleague(self, name: str) -> Clone:
        """Return a clone without any data that may open the server."""
        folder = self.folder / name
        self.publisher.run(*GIT, "clone", "--quiet", str(self.publisher.folder), str(folder))
        clone = type(self.publisher)(folder)
        clone.environment |= self.server.environment
        for option, value in self.server.secrets.items():
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
    return clone.run(*PYTHON, "fonoteka", "remote", *arguments)


def transfer(clone, *arguments):
    return clone.run(*PYTHON, "fonoteka", *arguments)


def published(publisher, server, folder):
    """Name a place, send all data there, commit and tag: what the owner of the data does.

    Returns what the first and the second push printed.
    """
    publisher.environment |= server.environment
    if server.url.startswith("http"):
        remote(publisher, "--read", server.url, "--write", str(folder / "store"))
    else:
        remote(publisher, "--url", server.url, *server.options)
    for option, value in server.secrets.items():
        secret(publisher, option, value)
    output = [transfer(publisher, "push"), transfer(publisher, "push")]
    publisher.git("commit", "--quiet", "--message", "name a place", "--", ".dvc/config")
    publisher.git("tag", "--annotate", TAG, "--message", "a release")
    return output


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository that is built and committed, with data that `dvc add` tracks."""
    clone = ForkedClone(tmp_path_factory.mktemp("origin") / "fonoteka")
    (clone / "data/raw/mine").mkdir(parents=True)
    for number in range(1, 5):
        (clone / f"data/raw/mine/{number}.flac").write_text(f"mine {number}\n")
    (clone / "texts.txt").write_text("1 2 3\n")
    (clone / "dvc.yaml").write_text(STAGES)
    shutil.copy(TOP / ".gitignore", clone / ".gitignore")
    clone.git("init", "--quiet")
    clone.dvc("init", "--quiet")
    clone.dvc("add", "--quiet", "data/raw/mine")
    clone.dvc("repro", "--quiet")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "built")
    return clone.folder


@pytest.fixture(scope="module", params=KINDS)
def story(request, origin, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    imported(*CLIENTS[request.param])
    publisher = ForkedClone(copied(origin, folder / "fonoteka"))
    with getattr(servers, request.param)(folder) as server:
        # Two lists of folders, three and four recordings, two splits, two files of the model.
        output = published(publisher, server, folder)
        yield Story(publisher, server, output, folder, range(13, 14), range(3, 4), stages=3)


def test_all_is_sent_once(story):
    first, second = story.output
    files, runs = re.match(r"pushed (\d+) files and (\d+) runs to storage", first).groups()
    assert int(files) in story.files
    assert int(runs) in story.runs
    assert second.startswith("pushed 0 files ")


def test_a_colleague_gets_all_with_the_run_cache_and_runs_nothing(story):
    clone = story.colleague("with")
    assert re.match(r"pulled \d+ files", transfer(clone, "pull"))
    assert clone.repro() == f"everything is up to date: {story.stages} stages\n"
    assert not clone.git("status", "--porcelain")
    # By HTTP nothing can be listed, so the run-cache does not travel that way.
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
    assert "Data and pipelines are up to date." in clone.dvc("status")


def test_one_file_and_one_model_come_at_a_tag_without_the_rest(story, tmp_path):
    outside = type(story.publisher)(tmp_path)
    outside.environment |= story.server.environment
    # dvc clones the repository without .dvc/config.local, so the options of the place are needed.
    opens = story.publisher / ".dvc/config.local"
    (tmp_path / "opens").write_bytes(opens.read_bytes() if opens.exists() else b"")
    options = ["--config", "opens"]
    top = str(story.publisher.folder)
    outside.dvc("get", top, SPLIT, "--rev", TAG, "--out", "got.jsonl", *options)
    expected = (story.publisher / SPLIT).read_bytes()
    assert (tmp_path / "got.jsonl").read_bytes() == expected

    script = (
        "import json, sys, dvc.api; path, repo, rev, opens = sys.argv[1:]; "
        "from dvc.config import Config; "
        "sys.stdout.write(dvc.api.read(path, repo=repo, rev=rev, encoding='utf-8', "
        "config=Config.load_file(opens)))"
    )
    assert outside.run(PYTHON[0], "-c", script, SPLIT, top, TAG, "opens").encode() == expected

    outside.dvc("artifacts", "get", top, "wavlm_ctc", "--rev", "v1.0.0", "--out", "model", *options)
    got = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    published_model = story.publisher / "data/models/wavlm_ctc"
    assert got == {path.name: path.read_bytes() for path in published_model.iterdir()}
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
