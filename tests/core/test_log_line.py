"""A line of a log is one line of JSON, with any text in it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.core.log_line import log_line, utc_time

TEXTS = st.text(st.characters(codec=None, exclude_categories=()))


@given(TEXTS, TEXTS)
def test_no_text_can_break_a_line(event, text):
    line = log_line("info", event, {"text": text, text: 1, "list": [text]})
    assert line.endswith(b"\n")
    assert line[:-1].isascii()
    assert all(byte >= 32 for byte in line[:-1])
    record = json.loads(line)
    assert record["event"] == record.get("event")
    assert record["list"] == [text]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (float("inf"), "inf"),
        ([{"a": float("nan")}], [{"a": "nan"}]),
        (Path("a/b"), "a/b"),
        ({1: (2, None)}, {"1": [2, None]}),
    ],
)
def test_what_json_does_not_have_is_written_as_text(value, written):
    line = log_line("info", "x", {"value": value})
    assert json.loads(line, parse_constant=pytest.fail)["value"] == written


def test_times_are_utc_with_milliseconds_and_sort_as_text():
    assert utc_time(1_738_324_800.25) == "2025-01-31T12:00:00.250Z"
    times = [utc_time(second / 7) for second in range(500)]
    assert times == sorted(times)
