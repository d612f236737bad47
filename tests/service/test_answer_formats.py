"""Properties of the formats of answers, for any segments that a model may return."""

import json
from itertools import pairwise

import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.alignment.formats.writers import FORMATS, render
from fonoteka.service.formats.aligned import aligned_text, subtitles
from fonoteka.service.formats.transcription_answers import timed_words, verbose_segments
from fonoteka.service.interfaces import Segment, Unit

DURATION_S = 60.0
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
# Times of one model may exceed the recording by a frame, or overlap those of another by a digit.
TIMES = st.floats(0, DURATION_S + 0.02)


@st.composite
def segments(draw):
    words = draw(st.lists(WORDS, max_size=6))
    times = sorted(draw(st.lists(TIMES, min_size=2 * len(words), max_size=2 * len(words))))
    units = [Unit(word, *times[2 * i : 2 * i + 2]) for i, word in enumerate(words)]
    groups = draw(st.lists(st.integers(0, len(units)), max_size=3))
    edges = [0, *sorted(groups), len(units)]
    result = []
    for first, after in pairwise(edges):
        group = units[first:after]
        text = " ".join(unit.text for unit in group)
        start_s, end_s = (group[0].start_s, group[-1].end_s) if group else (0.0, 0.0)
        timed = draw(st.booleans())
        result.append(Segment(text, start_s, end_s, tuple(group) if timed else ()))
    return result


@given(segments())
def test_srt_is_in_order_and_within_the_recording(segments):
    cues = list(srt.parse(subtitles(segments, "srt", "bs", DURATION_S)))
    assert [cue.index for cue in cues] == list(range(1, len(cues) + 1))
    last_s = 0.0
    for cue in cues:
        start_s, end_s = cue.start.total_seconds(), cue.end.total_seconds()
        assert last_s <= start_s + 0.001
        assert start_s < end_s <= DURATION_S + 0.001
        assert cue.content.strip()
        last_s = start_s


@given(segments())
def test_vtt_has_the_cues_of_srt_without_markup(segments):
    captions = webvtt.from_string(subtitles(segments, "vtt", "bs", DURATION_S)).captions
    cues = list(srt.parse(subtitles(segments, "srt", "bs", DURATION_S)))
    assert len(captions) == len(cues)
    assert all("<" not in caption.raw_text for caption in captions)


@given(segments())
def test_every_format_can_contain_any_segments(segments):
    text = aligned_text(segments, "sr", DURATION_S, "whisper_ctc")
    rendered = {name: render(text, name, "recording") for name in FORMATS}
    assert rendered["ctm"].count("\n") == len([*text.words])
    assert len(json.loads(rendered["json"])["segments"]) == len(text.lines)


@given(segments())
def test_json_of_segments_and_words_is_finite_and_complete(segments):
    bodies = [*verbose_segments(segments), *timed_words(segments)]
    for body in bodies:
        json.loads(body.model_dump_json())
    words = [unit.text for segment in segments for unit in segment.units]
    assert [word.word for word in timed_words(segments)] == words


@given(st.lists(TIMES, min_size=8, max_size=8), st.integers(0, 4))
def test_phones_stay_in_order_and_in_their_words(times, words_count):
    times = sorted(times)
    phones = tuple(Unit("a", times[2 * i], times[2 * i + 1]) for i in range(4))
    units = tuple(Unit("w", phone.start_s, phone.end_s) for phone in phones[:words_count])
    segment = Segment("w w", times[0], times[-1], units, phones)
    text = aligned_text([segment], "sr", DURATION_S)
    assert render(text, "textgrid", "recording")
    placed = [phone for word in text.words for phone in word.phones]
    assert len(placed) == 4
