"""Only the code and the lock files are sent to the engine that builds an image."""

from __future__ import annotations

import re
from fnmatch import translate

import pytest
from dockerfile_steps import stages
from dvc_yaml import TOP

from fonoteka.images.build import DOCKERFILES

PATTERNS = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()


def is_sent(path, patterns):
    """Return whether an engine reads a file: the last pattern that matches it, or a folder of it.

    Source: Docker, "Build context", https://docs.docker.com/build/concepts/context/.
    """
    parts = path.split("/")
    places = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    sent = True
    for line in patterns:
        if line and not line.startswith("#"):
            pattern, keep = line.removeprefix("!").strip("/"), line.startswith("!")
            if any(_matches(pattern, place) for place in places):
                sent = keep
    return sent


def _matches(pattern, place):
    inner, any_depth = pattern.removeprefix("**/"), pattern.startswith("**/")
    # fnmatch's `*` crosses folders, and docker's does not.
    expression = translate(inner).replace(".*", "[^/]*")
    return bool(re.match(("(?:.*/)?" if any_depth else "") + expression, place))


PRIVATE = (
    ".git/config", ".dvc/cache/files/md5/ab/cd", ".dvc/config.local", ".dvc/tmp/lock",
    ".venv/bin/python", "data/models/whisper/model.onnx", "data/raw/mine/a.wav",
    "data/speakers.csv", "checkpoints/step.pt", "logs/train.log", "keys.txt", ".env", "id_rsa",
    "reports/metrics.json", "fonoteka/__pycache__/a.pyc", "tests/conftest.py",
    "fonoteka/core/__pycache__/a.cpython-311.pyc",
)  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_what_is_private_or_large_is_not_sent(path):
    assert not is_sent(path, PATTERNS)


def test_what_the_dockerfiles_copy_is_sent():
    for name in DOCKERFILES.values():
        for stage in stages((TOP / name).read_text(encoding="utf-8")):
            for step in stage.named("COPY"):
                if "from" in step.flags:
                    continue
                for source in step.words[:-1]:
                    files = [source] if (TOP / source).is_file() else [
                        path.relative_to(TOP).as_posix() for path in (TOP / source).rglob("*.py")
                    ]  # fmt: skip
                    assert files
                    assert all(is_sent(path, PATTERNS) for path in files)


@pytest.mark.parametrize("spoilt", ["!data", "!.git", "!**/*.pyc", "!keys.txt"])
def test_a_pattern_that_lets_something_private_through_is_noticed(spoilt):
    assert any(is_sent(path, [*PATTERNS, spoilt]) for path in PRIVATE)
