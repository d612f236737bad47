"""praatio reads the tiers of a TextGrid, and a line of CTM has six fields, hostile text too."""

from itertools import pairwise

import pytest
from aligned_text_maker import aligned, aligned_texts, seen
from hypothesis import given
from hypothesis import strategies as st
from praatio.utilities import textgrid_io

from fonoteka.alignment.formats import render
from fonoteka.alignment.formats.textgrid import TierInterval, covering
from fonoteka.core.errors import UserError

MS = 0.001


def near(seconds):
    return pytest.approx(seconds, rel=0, abs=MS)


def tiers(text):
    parsed = textgrid_io.parseTextgridStr(render(text, "textgrid", "a"), includeEmptyIntervals=True)
    assert (float(parsed["xmin"]), float(parsed["xmax"])) == (0, near(text.duration_s))
    assert [tier["name"] for tier in parsed["tiers"]] == ["words", "phones"]
    return [
        [(float(start), float(end), label) for start, end, label in tier["entries"]]
        for tier in parsed["tiers"]
    ]


@given(aligned_texts())
def test_a_textgrid_has_the_words_and_phones_and_covers_the_recording(text):
    words = [(seen(word.text), word.start_s, word.end_s) for word in text.words]
    phones = [(p.symbol, p.start_s, p.end_s) for word in text.words for p in word.phones]
    for entries, expected in zip(tiers(text), (words, phones), strict=True):
        labelled = [entry for entry in entries if entry[2]]
        for (start_s, end_s, label), unit in zip(labelled, expected, strict=True):
            assert (label, near(start_s), near(end_s)) == unit
        edges = [0.0, *(end_s for _, end_s, _ in entries)]
        assert [start_s for start_s, _, _ in entries] == edges[:-1]
        assert all(start_s < end_s for start_s, end_s, _ in entries)
        assert edges[-1] == near(text.duration_s)


def test_pauses_are_empty_intervals_and_quotes_are_doubled():
    text = aligned([('"da"', 0.5, 1.0)], duration_s=2.5)
    assert tiers(text)[0] == [(0.0, 0.5, ""), (0.5, 1.0, '"da"'), (1.0, 2.5, "")]
    assert 'text = """da"""' in render(text, "textgrid", "a")


def test_a_recording_without_words_is_one_pause():
    assert tiers(aligned(duration_s=1.25)) == [[(0.0, 1.25, "")]] * 2


def test_a_recording_without_a_millisecond_is_refused():
    with pytest.raises(UserError, match=r"^a recording of 0 s is too short for a TextGrid, .* for"):
        render(aligned(duration_s=0.0), "textgrid", "a")


@given(
    st.lists(st.integers(0, 9), max_size=16).map(sorted).filter(lambda edges: len(edges) % 2 == 0)
)
def test_intervals_of_no_length_get_one_microsecond_each(edges):
    pairs = [*zip(edges[::2], edges[1::2], strict=True)]
    covered = covering([TierInterval(start, end, "x") for start, end in pairs], 9)
    assert (covered[0].start_us, covered[-1].end_us) == (0, 9)
    assert all(a.end_us == b.start_us for a, b in pairwise(covered))
    assert all(interval.start_us < interval.end_us for interval in covered)
    assert sum(interval.label == "x" for interval in covered) == len(pairs)
    if all(start < end for start, end in pairs):
        assert [(i.start_us, i.end_us) for i in covered if i.label] == pairs


def test_an_interval_of_no_length_at_the_end_is_before_it():
    covered = covering([TierInterval(2, 5, "a"), TierInterval(5, 5, "b")], 5)
    assert [(i.start_us, i.end_us, i.label) for i in covered] == [
        (0, 2, ""),
        (2, 4, "a"),
        (4, 5, "b"),
    ]


@given(aligned_texts(), st.text())
def test_a_line_of_ctm_has_six_fields(text, recording_name):
    lines = render(text, "ctm", recording_name).split("\n")
    assert lines.pop() == ""
    for line, word in zip(lines, text.words, strict=True):
        name, channel, start_s, duration_s, label, score = line.split()  # as Kaldi's SplitString
        assert not name.startswith(";;")
        assert (channel, label, score) == ("1", seen(word.text).replace(" ", "_"), "0.900")
        assert float(start_s) == near(word.start_s)
        assert float(start_s) + float(duration_s) == near(word.end_s)


def test_a_name_with_spaces_is_one_field_of_ctm():
    text = aligned([("dan", 3600.0, 3600.25)], duration_s=3601.0)
    assert render(text, "ctm", ";; moja pjesma") == "_;_moja_pjesma 1 3600.000 0.250 dan 0.900\n"
