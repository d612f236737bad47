"""Each command of `python -m fonoteka` has help, which loads little, and the code's options."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import get_args

import pytest
from command_line import commands, exit_code, options
from dvc_yaml import TOP
from test_imports import CPU_SECONDS

from fonoteka.cli import corpus, pipeline
from fonoteka.corpus.clip_terms import OWN_COLUMNS
from fonoteka.corpus.corpus import KNOWN_COLUMNS, TABLE_COLUMNS
from fonoteka.corpus.importers.layouts.detect import LAYOUTS
from fonoteka.pipeline.overrides import PROFILES
from fonoteka.pipeline.remote.urls import READ
from fonoteka.pipeline.verify.command import ENVIRONMENTS

HELP = """\
import sys
from fonoteka.__main__ import main
for words in sys.argv[1:]:
    try:
        main([*words.split(), "--help"])
    except SystemExit as ended:
        assert not ended.code, words
print(*sys.modules, file=sys.stderr)
"""


def test_every_command_shows_its_help_and_loads_no_heavy_package():
    lines = ["", *sorted({words[0] for words in commands()}), *map(" ".join, commands())]
    done = subprocess.run(
        [sys.executable, "-c", HELP, *lines], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("Usage: ") == len(lines)
    modules = {name.partition(".")[0] for name in done.stderr.split()}
    assert "typer" in modules
    assert not modules & {*CPU_SECONDS, "numpy", "rich"}


def test_every_command_and_option_is_explained():
    for words, command in commands().items():
        assert command.help, words
        assert [param.name for param in command.params if not param.help] == [], words


def test_choices_are_those_of_the_code():
    assert get_args(corpus.LayoutName) == tuple(sorted(LAYOUTS))
    assert {*get_args(pipeline.Vary)} == {*ENVIRONMENTS}
    defaults = {param.name: param.default for param in commands()["remote",].params}
    assert defaults["name"] == READ
    profiles = commands()["profile",].params[0].help
    assert [path.stem for path in PROFILES.glob("*.yaml") if path.stem not in profiles] == []


@pytest.mark.parametrize("name", ["look", "add"])
def test_every_column_of_a_corpus_can_be_named(name):
    columns = {f"--{column}-column" for column in (*TABLE_COLUMNS, *KNOWN_COLUMNS, *OWN_COLUMNS)}
    assert {option for option in options("corpus", name) if option.endswith("-column")} == columns


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["dif"], "No such command 'dif'"),
        (["diff", "--bse", "main"], "No such option: --bse"),
        (["verify", "--vary", "1"], "'1' is not one of"),
        (["repro", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["corpus", "add", "from", "--name", "mine"], "Missing option '--licence'"),
    ],
)
def test_a_wrong_command_line_exits_with_2(words, sentence, capsys):
    assert exit_code(*words) == 2
    assert sentence in capsys.readouterr().err


def test_the_shell_completes_commands():
    done = subprocess.run(
        [sys.executable, "-m", "fonoteka"], cwd=TOP, capture_output=True, text=True, check=True,
        env=os.environ | {
            "_FONOTEKA_COMPLETE": "complete_bash", "COMP_WORDS": "fonoteka mer", "COMP_CWORD": "1",
        },
    )  # fmt: skip
    assert done.stdout.split() == ["merge-lock"]
