"""Updates are shown on a terminal, as text and as JSON lines."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console
from rich.text import Text
from toy_engine import spoken, toy_engine

from fonoteka.streaming.display.json_lines import JsonLinesView, json_line, read_json_line
from fonoteka.streaming.display.terminal_view import (
    PhoneRows,
    PlainView,
    TerminalView,
    phone_style,
    row_text,
)
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate


def phones(written, confidence=1.0):
    return tuple(
        StreamedPhone(symbol, 0.1 * index, 0.1 * index + 0.1, confidence)
        for index, symbol in enumerate(written.split())
    )


def update(committed="", provisional="", endpoint=None, audio_s=1.0):
    return StreamUpdate(audio_s, phones(committed), phones(provisional), endpoint)


def json_of(*shown):
    file = io.StringIO()
    view = JsonLinesView(file)
    for item in shown:
        view.show(item)
    view.close()
    return file.getvalue().splitlines()


def test_a_json_line_has_sorted_keys_and_letters_as_they_are():
    line = json_line(update("tʃ", "a", "silence"))
    assert "tʃ" in line
    fields = json.loads(line)
    assert [*fields] == ["audio_s", "committed", "endpoint", "provisional"]
    assert [*fields["committed"][0]] == ["confidence", "end_s", "start_s", "symbol"]


def test_a_json_line_is_rounded_to_what_it_means():
    line = json_line(
        StreamUpdate(1 / 3, (StreamedPhone("a", 2 / 3, 0.7000001, 0.123456),), (), None)
    )
    assert json.loads(line)["audio_s"] == 0.333
    (phone,) = json.loads(line)["committed"]
    assert phone == {"symbol": "a", "start_s": 0.667, "end_s": 0.7, "confidence": 0.1235}


def test_a_json_line_is_read_back_as_its_update():
    shown = StreamUpdate(1.5, phones("d o"), (), "silence")
    rounded = read_json_line(json_line(shown))
    assert json_line(rounded) == json_line(shown)
    assert rounded.endpoint == "silence"
    assert rounded.committed[1].symbol == "o"


def test_an_update_that_changes_nothing_writes_no_json_line():
    lines = json_of(update(), update("", "a"), update("", "a", audio_s=1.1), update("a", "", None))
    assert [json.loads(line)["provisional"] != [] for line in lines] == [True, False]


@pytest.mark.parametrize(
    "changed", [update("a", "b"), update("", "b", "silence"), update("", "o"), update("", "")]
)
def test_an_update_that_changes_something_writes_a_json_line(changed):
    assert len(json_of(update("", "b"), changed)) == 2


def test_a_confidence_is_shown_by_the_style():
    styles = [phone_style(*phones("a", value), provisional=False) for value in (0.8, 0.79, 0.49)]
    assert styles == ["", "yellow", "underline red"]
    assert phone_style(*phones("a", 0.1), provisional=True) == "dim"


def test_committed_phones_come_before_dimmed_provisional_ones():
    text = row_text(phones("d o"), phones("b a"))
    assert text.plain == "d o b a"
    assert [str(span.style) for span in text.spans if str(span.style)] == ["dim", "dim"]


def plain(rows):
    return [row.plain for row in rows]


def test_a_row_that_is_full_is_complete():
    rows = PhoneRows(7)
    assert plain(rows.add(update("d o b", "a"))) == []
    assert rows.current().plain == "d o b a"
    assert plain(rows.add(update("a tʃ o"))) == ["d o b a"]
    assert rows.current().plain == "tʃ o"


def test_a_phone_wider_than_the_screen_has_a_row_of_its_own():
    rows = PhoneRows(1)
    assert plain(rows.add(update("tʃ d"))) == ["tʃ"]
    assert rows.current().plain == "d"


def test_an_endpoint_completes_a_row_and_the_provisional_phones_start_the_next():
    rows = PhoneRows(80)
    assert plain(rows.add(update("d o", "b", "silence"))) == ["d o"]
    assert rows.current().plain == "b"


def test_an_endpoint_without_phones_adds_no_row():
    rows = PhoneRows(80)
    assert rows.add(update("", "", "nothing spoken")) == []
    assert rows.current() == Text()


class Writes(io.StringIO):
    """A file that keeps what was written up to each time it was flushed."""

    def __init__(self):
        super().__init__()
        self.states = []

    def flush(self):
        self.states.append(self.getvalue())


def drawn(*shown, width=20, step_s=1.0):
    """Return what a terminal has received after each drawing, with the styles as codes."""
    file = Writes()
    console = Console(file=file, force_terminal=True, width=width, color_system="standard")
    times = iter([step_s * number for number in range(100)])
    view = TerminalView(console, lambda: next(times))
    for item in shown:
        view.show(item)
    view.close()
    return file.states


def screen(text):
    """Return the lines that a terminal shows: of its codes, those that rich uses here."""
    lines, row = [""], 0
    for code in re.findall(r"\x1b\[[?0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if code == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif code == "\x1b[1A":
            row -= 1
        elif code == "\x1b[2K":
            lines[row] = ""
        elif code[0] not in "\x1b\r":
            lines[row] += code
    return lines


def test_provisional_phones_are_dimmed_on_a_terminal():
    assert drawn(update("d", "o"))[-2].endswith("d \x1b[2mo\x1b[0m")


def test_a_terminal_shows_each_phone_once_at_any_time():
    states = drawn(
        update("", "d"), update("d", "o"), update("o", "b", "silence"), update("b a r d o b a r o"),
        width=10,
    )  # fmt: skip
    seen = [[line for line in screen(text) if line] for text in states]
    assert [lines for number, lines in enumerate(seen) if lines != [[], *seen][number]] == [
        ["d"], ["d o"], ["d o", "b"], ["d o", "b a r d o", "b a r o"],
    ]  # fmt: skip


def test_a_terminal_is_drawn_at_most_30_times_per_second():
    shown = [update("", "a " * (number + 1)) for number in range(9)]
    seldom, often = [len({*drawn(*shown, step_s=step_s)}) for step_s in (0.01, 1.0)]
    assert often - seldom == 6  # of 9, those at 0, 40 and 80 ms are drawn


def written(*shown):
    file = io.StringIO()
    view = PlainView(file)
    for item in shown:
        view.show(item)
    view.close()
    return file.getvalue()


def test_plain_text_has_a_line_per_utterance_and_committed_phones_alone():
    text = written(
        update("d", "o"), update("o", "x", "silence"), update("", "", "silence"), update("b a")
    )
    assert text == "d o\nb a\n"


def test_plain_text_of_silence_is_empty():
    assert written(update(), update("", "a"), update()) == ""


def test_plain_text_is_written_as_it_is_committed():
    file = io.StringIO()
    PlainView(file).show(update("d o"))
    assert file.getvalue() == "d o"


def test_a_stream_gives_equal_bytes_each_time():
    def lines():
        engine, signal = toy_engine(), spoken("d o b a r")
        chunks = [signal[start : start + 640] for start in range(0, len(signal), 640)]
        return json_of(*map(engine.feed, chunks), engine.finish())

    assert lines() == lines()
    assert [phone["symbol"] for line in lines() for phone in json.loads(line)["committed"]] == [
        "d", "o", "b", "a", "r",
    ]  # fmt: skip
