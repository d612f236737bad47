"""docs/service-streams.md agrees with the code."""

from __future__ import annotations

import re

from command_line import options
from dvc_yaml import TOP

from fonoteka.service.live import deepgram_query, native
from fonoteka.service.live.closing import CloseCode

PAGE = (TOP / "docs" / "service-streams.md").read_text(encoding="utf-8")


def section(heading):
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def first_cells(heading):
    """Return the first cell of each row of the table below a heading."""
    return re.findall(r"^\| ([^|]+?) \|", section(heading), re.M)[1:]


def test_each_close_code_is_listed():
    assert first_cells("Close codes") == [str(code.value) for code in sorted(CloseCode)]


def test_each_parameter_of_the_own_stream_is_listed():
    names = {cell.strip("`") for cell in first_cells("`/v1/stream`")}
    assert names == {*native.PARAMETERS}


def test_each_option_of_deepgram_is_listed_once():
    text = section("Deepgram")
    for words, names in (
        ("Accepted without an effect", deepgram_query.WITHOUT_EFFECT),
        ("Refused, because", deepgram_query.REFUSED),
    ):
        listed = text.partition(words)[2].partition("\n\n")[0]
        assert tuple(re.findall(r"`(\w+)`", listed)) == names


def test_the_options_of_the_client_exist():
    named = {*re.findall(r"--[a-z][a-z-]*", section("The client"))}
    assert named <= options("client")
