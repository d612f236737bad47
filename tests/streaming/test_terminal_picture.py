"""The picture of `listen` in the README can be made from the JSON lines of any engine."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest
from dvc_yaml import TOP
from toy_engine import spoken, toy_engine

from fonoteka.streaming.display.json_lines import json_line

SVG = "{http://www.w3.org/2000/svg}"


def lines_of(written):
    engine, samples = toy_engine(), spoken(written)
    shown = [engine.feed(samples[start : start + 640]) for start in range(0, len(samples), 640)]
    return "".join(f"{json_line(item)}\n" for item in [*shown, engine.finish()])


def make(out, lines, *words):
    return subprocess.run(
        [sys.executable, TOP / "docs/make_terminal_picture.py", out, *words],
        input=lines.encode(), capture_output=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return two pictures of the same lines."""
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / "a.svg", folder / "b.svg"]
    for path in paths:
        done = make(path, lines_of("d o b a r " * 4 + "tʃ"), "--width", "20", "--command", "a <b>")
        assert (done.returncode, done.stderr) == (0, b"")
    return [path.read_bytes() for path in paths]


def test_equal_lines_give_equal_bytes(pictures):
    assert pictures[0] == pictures[1]


def test_the_last_screen_is_shown_without_an_animation(pictures):
    texts = ElementTree.fromstring(pictures[0]).iter(f"{SVG}text")
    shown = [text for text in texts if text.get("opacity") != "0"]
    assert " ".join(text.text for text in shown) == "$ a <b> " + "d o b a r " * 4 + "tʃ"
    rows = sorted({int(text.get("y")) for text in shown})
    assert len(rows) == 4  # the command, and 43 cells in rows of 20


def test_a_phone_is_dimmed_before_it_is_committed(pictures):
    first = [
        (text.get("fill"), text[0].get("values"), text[0].get("keyTimes"))
        for text in ElementTree.fromstring(pictures[0]).iter(f"{SVG}text")
        if (text.get("x"), text.get("y"), text.text) == ("16", "56", "d")
    ]
    (dimmed, committed) = sorted(first, key=lambda item: len(item[1]), reverse=True)
    assert (dimmed[0], committed[0]) == ("#848d97", "#ff7b72")  # its confidence is 0.3
    # Committed at the time at which the provisional one disappears.
    assert dimmed[2].split(";")[-1] == committed[2].split(";")[-1]


def test_no_lines_are_one_sentence(tmp_path):
    done = make(tmp_path / "a.svg", "")
    assert done.returncode == 2
    assert b"error: standard input: contains no JSON lines; pipe those of" in done.stderr
    assert not (tmp_path / "a.svg").exists()


def test_a_picture_that_is_too_large_is_one_sentence(tmp_path):
    done = make(tmp_path / "a.svg", lines_of("d o b a r " * 120))
    assert done.returncode == 2
    assert b"bytes are above the limit of 150000; use a shorter recording" in done.stderr
