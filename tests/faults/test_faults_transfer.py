"""A server that goes away in the middle, or hands out a damaged object, costs one sentence."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import numpy as np
import pytest
import servers
from clones import GIT, PYTHON, Clone, flip
from dvc_yaml import TOP
from forks import CLIENTS, ForkedClone, imported
from safetensors.numpy import save_file
from toy import copied

pytestmark = pytest.mark.faults

KINDS = ("http", "s3", "sftp", "sshd", "webdav")
FILES, FILE_BYTES = 6, 1 << 20
PIPELINE = """
stages:
  copy:
    cmd: mkdir -p out && cp -r data/raw/mine/. out/
    deps: [data/raw/mine]
    outs: [out]
"""


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A small repository of the same shape: data that dvc tracks, and a stage."""
    clone = ForkedClone(tmp_path_factory.mktemp("origin") / "owner")
    (clone / "data/raw/mine").mkdir(parents=True)
    clone.git("init", "--quiet")
    clone.dvc("init", "--quiet")
    for number in range(FILES):
        data = random.Random(number).randbytes(FILE_BYTES)
        (clone / f"data/raw/mine/{number}.bin").write_bytes(data)
    (clone / "dvc.yaml").write_text(PIPELINE)
    clone.dvc("add", "--quiet", "data/raw/mine")
    clone.dvc("repro", "--quiet")
    clone.git("add", "--all")
    return clone.folder


@pytest.fixture
def owner(origin, tmp_path):
    """A copy of that repository."""
    return ForkedClone(copied(origin, tmp_path / "owner"))


def in_a_process(clone, *command):
    """Run a command in a new interpreter: a client may print something while that one ends."""
    process = Clone(clone.folder)
    process.environment = clone.environment | {"PYTHONPATH": str(TOP)}
    return process.call(*command)


@contextmanager
def limited(server, budget, log):
    """Stand before a server, and go away after so many bytes in both directions; give a switch."""
    target = next(o for o in (*server.options, server.url) if "://" in o)
    port = servers.free_port()
    command = [sys.executable, servers.__file__, "proxy", str(port), str(urlsplit(target).port)]

    def start(most):
        return stack.enter_context(servers.running([*command, str(most)], port, log))

    with ExitStack() as stack:
        yield target.replace(f":{urlsplit(target).port}", f":{port}"), start


@pytest.fixture(params=KINDS)
def place(request, owner, tmp_path):
    """Give a server, and the address under which it can go away."""
    imported(*CLIENTS[request.param])
    with getattr(servers, request.param)(tmp_path) as server:
        yield server


def names(clone, server, url):
    """Name a place for a repository, by an address that may go away."""
    clone.environment |= server.environment
    if server.options:
        words = ["--url", server.url, "--endpoint", url]
    elif url.startswith("http"):
        words = ["--read", url, "--write", str(clone.folder.parent / "store")]
    else:
        words = ["--url", url]
    clone.run(*PYTHON, "fonoteka", "remote", *words)
    opens(clone, server)


def opens(clone, server):
    for option, value in server.secrets.items():
        clone.environment["FONOTEKA_SECRET"] = value
        clone.run(*PYTHON, "fonoteka", "remote", "--secret", option)


def one_sentence(done, pattern):
    """Say whether a command failed with one line that says what a person can do."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.fullmatch(rf"error: {pattern}\n", done.stderr), done.stderr
    return True


def colleague(owner, server, name):
    owner.git("commit", "--quiet", "--all", "--message", "all")
    folder = owner.folder.parent / name
    subprocess.run([*GIT, "clone", "--quiet", owner.folder, folder], check=True)
    clone = ForkedClone(folder)
    clone.environment |= server.environment
    opens(clone, server)
    return clone


GONE = r".* failed: .*; what was transferred is kept, run it again to resume"


def test_a_server_that_goes_away_costs_one_sentence_and_the_next_try_brings_the_rest(
    place, owner, tmp_path
):
    with limited(place, 0, tmp_path / "proxy.log") as (url, start):
        names(owner, place, url)
        push = (*PYTHON, "fonoteka", "push")
        if not url.startswith("http") or place.options:  # by HTTP nothing is sent
            proxy = start(5 * FILE_BYTES // 2)
            assert one_sentence(in_a_process(owner, *push), rf"push to storage {GONE}")
            assert proxy.wait() == 3
            start(1 << 40)
        owner.run(*push)
        if url.startswith("http") and not place.options:
            start(1 << 40)
        clone = colleague(owner, place, "colleague")

    with limited(place, 0, tmp_path / "proxy.log") as (url, start):
        clone.environment |= place.environment
        names(clone, place, url)
        proxy = start(5 * FILE_BYTES // 2)
        pull = (*PYTHON, "fonoteka", "pull")
        assert one_sentence(in_a_process(clone, *pull), rf"pull from storage {GONE}")
        assert proxy.wait() == 3
        start(1 << 40)
        clone.run(*pull)
    assert contents(clone) == contents(owner)
    assert "up to date" in clone.dvc("repro")


def contents(clone):
    paths = [p for top in ("data", "out") for p in (clone / top).rglob("*.bin")]
    return {path.relative_to(clone.folder): path.read_bytes() for path in paths}


def test_a_damaged_object_is_not_taken_and_is_sent_again_by_a_clone_that_has_it_whole(
    owner, tmp_path
):
    store = tmp_path / "store"
    owner.run(*PYTHON, "fonoteka", "remote", "--url", str(store))
    owner.run(*PYTHON, "fonoteka", "push")
    clone = colleague(owner, servers.Server(str(store)), "colleague")
    some = max(path for path in (store / "files").rglob("*") if path.stat().st_size == FILE_BYTES)
    flip(some)
    md5 = some.parent.name + some.name
    pull = (*PYTHON, "fonoteka", "pull")
    assert one_sentence(
        clone.call(*pull),
        rf"pull from storage \(.*\) failed: \d files are missing in the remote, or damaged and "
        rf"not accepted: .*{md5}.*; send each again with python -m fonoteka push .*",
    )
    assert not list(clone.folder.rglob(some.name))
    owner.run(*PYTHON, "fonoteka", "push", "--again", md5)
    clone.run(*pull)
    assert contents(clone) == contents(owner)
    # What is not here cannot be sent again from here, and nothing damaged is sent at all.
    again = clone.call(*PYTHON, "fonoteka", "push", "--again", "0" * 32)
    assert one_sentence(again, rf".*{'0' * 32} is not in this cache.*")
    flip(clone / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    for used in (clone / "data/raw/mine", clone / "out"):
        for path in used.iterdir():
            path.unlink()
    again = clone.call(*PYTHON, "fonoteka", "push")
    assert one_sentence(
        again, rf"nothing was pushed because data is damaged: .*{md5}.*, removed; .*"
    )
    clone.run(*pull)
    assert contents(clone) == contents(owner)


def test_a_checkpoint_travels_by_every_kind_of_remote(place, owner):
    names(owner, place, next(o for o in (*place.options, place.url) if "://" in o))
    clone = colleague(owner, place, "colleague")
    folder = owner / "checkpoints/whisper/tuned"
    folder.mkdir(parents=True)
    (folder / "log.jsonl").write_text('{"step": 1}\n')
    for step in (20, 40):
        path = folder / f"step-{step:06d}.safetensors"
        save_file({"weight.a": np.full(FILE_BYTES // 4, step, np.float32)}, path)
        owner.run(*PYTHON, "fonoteka", "checkpoints", "push")
        clone.run(*PYTHON, "fonoteka", "checkpoints", "pull")
        restored = clone / "checkpoints/whisper/tuned"
        assert sorted(p.name for p in restored.iterdir()) == ["log.jsonl", path.name]
        assert (restored / path.name).read_bytes() == path.read_bytes()
        (restored / path.name).unlink()
