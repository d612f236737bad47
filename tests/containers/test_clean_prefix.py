"""The steps of a Dockerfile are carried out in a folder, as the file has them."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from clean_prefix import FILES, NEEDS_ROOT, Prefix
from dockerfile_steps import global_arguments, stages
from dvc_yaml import TOP

TEXT = """
ARG BASE=a:1
FROM ${BASE} AS build
ARG ADDRESS
ARG PART=first
WORKDIR /opt/code
COPY one.txt ./
RUN cat one.txt > /opt/code/two.txt \\
    && echo "$PART ${ADDRESS:-none}" >> two.txt
FROM ${BASE}
RUN apt-get update && rm -rf /var/lib/apt/lists/*
COPY --chown=root:root --from=build /opt/code /opt/code
COPY inner /opt/code/inner
ENV PATH=/opt/code/bin:$PATH \\
    NAME=value
RUN pwd > /opt/code/where.txt; echo "$NAME $PART$PATH" > /opt/code/env.txt
"""


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    # Steps run as this user: another one could not enter the folder of the test.
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    context = tmp_path / "context"
    (context / "inner").mkdir(parents=True)
    (context / "one.txt").write_text("one\n")
    (context / "inner/three.txt").write_text("three\n")
    (tmp_path / "root").mkdir()
    return Prefix(tmp_path / "root", context)


def carry_out(prefix, text):
    for stage in stages(text):
        prefix.start(global_arguments(text))
        prefix.carry_out(stage)


def test_copies_runs_and_variables_are_those_of_the_file_below_the_prefix(prefix):
    carry_out(prefix, TEXT)
    code = prefix.folder / "opt/code"
    assert (code / "two.txt").read_text() == "one\nfirst none\n"
    assert (code / "inner/three.txt").read_text() == "three\n"
    # An ARG of one stage is not known in the next.
    assert (code / "env.txt").read_text() == f"value {code}/bin:/usr/bin:/bin\n"
    assert (code / "where.txt").read_text() == f"{prefix.folder}\n"
    assert prefix.skipped == ["apt-get update && rm -rf /var/lib/apt/lists/*"]
    assert prefix.environment["PATH"].startswith(f"{code}/bin:")


def test_a_step_that_fails_ends_the_build(prefix):
    with pytest.raises(subprocess.CalledProcessError):
        carry_out(prefix, "FROM a:1\nRUN false; true > /opt/made\n")
    assert not (prefix.folder / "opt").exists()


def test_a_copy_to_another_place_than_in_the_stage_before_is_refused(prefix):
    with pytest.raises(AssertionError, match="line 2: expected the same path in both stages"):
        carry_out(prefix, "FROM a:1\nCOPY --from=build /opt/a /opt/b\n")


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("python -m venv /opt/venv", "python -m venv P/opt/venv"),
        ("/opt/a:/usr/bin:/project", "P/opt/a:/usr/bin:P/project"),
        ("./opt a/opt /optional", "./opt a/opt /optional"),
    ],
)
def test_only_paths_of_the_image_get_the_prefix(prefix, text, placed):
    assert prefix.placed(text) == placed.replace("P", str(prefix.folder))


def test_the_dockerfiles_write_nowhere_else():
    for name in FILES.values():
        for stage in stages((TOP / name).read_text(encoding="utf-8")):
            for step in stage.named("RUN"):
                if not NEEDS_ROOT.search(step.value):
                    paths = re.findall(r"(?<![\w./])/\w+", step.value)
                    assert {*paths} <= {"/opt", "/project"}, step.value
