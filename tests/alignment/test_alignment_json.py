"""The JSON of a text is restored by its reader, which names the place of a wrong value."""

import json
import re
from dataclasses import replace

import pytest
from aligned_text_maker import WORDS, aligned, aligned_texts, seen
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.alignment.aligned_text import AlignedLine, AlignedPhone
from fonoteka.alignment.formats import read_alignment, render, write_alignment
from fonoteka.core.errors import UserError

DAY = aligned([("Dobar", 0.5, 0.9), ("dan,", 0.9, 1.2006)], duration_s=2.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("json")


def rounded(text):
    """Return a text with the precision of its file: 1 ms."""

    def units(items):
        return tuple(
            replace(item, start_s=round(item.start_s, 3), end_s=round(item.end_s, 3))
            for item in items
        )

    lines = (
        tuple(replace(word, phones=units(word.phones)) for word in units(line.words))
        for line in text.lines
    )
    return replace(
        text, duration_s=round(text.duration_s, 3), lines=tuple(AlignedLine(line) for line in lines)
    )


@given(aligned_texts(st.sampled_from(WORDS)))
def test_a_text_is_restored_to_the_millisecond(folder, text):
    path = folder / "a.json"
    write_alignment(text, "json", path)
    restored = read_alignment(path)
    # round(x, 3) and round(1000 x) differ for a tie, which floats have only by chance.
    assert [w.text for w in restored.words] == [w.text for w in text.words]
    for unit, other in zip(restored.words, rounded(text).words, strict=True):
        assert unit.start_s == pytest.approx(other.start_s, rel=0, abs=0.0011)
        assert unit.end_s == pytest.approx(other.end_s, rel=0, abs=0.0011)
        assert [p.symbol for p in unit.phones] == [p.symbol for p in other.phones]
    assert render(restored, "json", "a") == path.read_text(encoding="utf-8")


def test_a_text_with_whole_milliseconds_is_restored_exactly(folder):
    write_alignment(text := rounded(DAY), "json", folder / "b.json")
    assert read_alignment(folder / "b.json") == text


@given(aligned_texts())
def test_hostile_text_is_read_by_any_program(text):
    value = json.loads(render(text, "json", "a").encode("utf-8"))
    words = [word["word"] for segment in value["segments"] for word in segment["words"]]
    assert words == [seen(word.text) for word in text.words]


def test_the_keys_are_those_of_whisperx_and_sorted():
    lines = render(DAY, "json", "a")
    value = json.loads(lines)
    assert {key: value[key] for key in value if key != "segments"} == {
        "language": "sr", "duration": 2.0, "model": "toy", "unexplained": 0.0,
    }  # fmt: skip
    (segment,) = value["segments"]
    assert (segment["start"], segment["end"], segment["text"]) == (0.5, 1.201, "Dobar dan,")
    assert segment["words"][1] == {
        "word": "dan,",
        "start": 0.9,
        "end": 1.201,
        "score": 0.9,
        "spoken": "toy",
        "unexplained": 0.0,
        "phones": [
            {"phone": "a", "start": 0.9, "end": 1.05, "score": 0.8},
            {"phone": "ts", "start": 1.05, "end": 1.201, "score": 0.8},
        ],
    }
    assert lines == json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def test_a_file_of_whisperx_with_a_duration_is_read(folder):
    word = {"word": "dan", "start": 0.1, "end": 0.4, "score": 0.75}
    value = {"language": "sr", "duration": 1, "segments": [{"words": [word]}], "word_segments": []}
    (folder / "x.json").write_text(json.dumps(value))
    (restored,) = read_alignment(folder / "x.json").words
    assert (restored.text, restored.phones, restored.spoken) == ("dan", (), "")


SECOND = ("segments", 0, "words", 1)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("language",), "de", "language 'de' is not one of bs, en, hr, sr"),
        (("language",), None, "language is missing; align the recording again or add it"),
        (("duration",), -1, "duration must be a number of at least 0, got -1"),
        (("duration",), float("inf"), "duration must be a number of at least 0, got inf"),
        (("duration",), 10**400, "duration must be a number of at least 0, got 10000"),
        (("model",), 3, "model must be a string, got 3"),
        (("segments",), {}, "segments must be a list, got {}"),
        (("segments", 0), "x", "segments[0] must be an object, got 'x'"),
        (("segments", 0, "words"), [], "segments[0].words must have at least one word"),
        ((*SECOND, "start"), True, "segments[0].words[1].start must be a number from 0 to 2"),
        ((*SECOND, "end"), float("nan"), "words[1].end must be a number from 0 to 2, got nan"),
        ((*SECOND, "end"), 3.0, "words[1].end must be a number from 0 to 2, got 3.0"),
        ((*SECOND, "start"), 0.8, "words[1] lies at 0.8 to 1.201 s, but the word before ends"),
        ((*SECOND, "end"), 0.1, "segments[0].words[1] lies at 0.9 to 0.1 s"),
        ((*SECOND, "score"), 1.5, "words[1].score must be a number from 0 to 1, got 1.5"),
        ((*SECOND, "word"), 7, "segments[0].words[1].word must be a string, got 7"),
        ((*SECOND, "phones", 0, "phone"), None, "words[1].phones[0].phone is missing"),
        ((*SECOND, "phones", 0, "end"), 1.1, "words[1]: the phone 'ts' of the word 'dan,' lies at"),
        ((*SECOND, "phones", 1, "end"), 1.5, "words[1]: the phone 'ts' of the word 'dan,' lies at"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_place(folder, keys, value, message):
    record = json.loads(render(DAY, "json", "a"))
    target = record
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    path = folder / "wrong.json"
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=re.escape(message)) as error:
        read_alignment(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"a"', "\0"])
def test_a_file_that_is_not_an_alignment_is_refused(folder, content):
    path = folder / "c.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"c\.json: (not valid JSON|the file must be an object)"):
        read_alignment(path)


def test_a_phone_outside_its_word_is_not_written():
    (word, _) = DAY.words
    late = replace(word, phones=(AlignedPhone("a", 0.5, 0.95, 1.0),))
    text = replace(DAY, lines=(AlignedLine((late,)),))
    with pytest.raises(
        UserError, match=r"the phone 'a' of the word 'Dobar' lies at 0\.5 to 0\.95 s"
    ):
        render(text, "json", "a")
