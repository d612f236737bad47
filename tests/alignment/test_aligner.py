"""A text gets the times of its words, in either script; what cannot have times is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoken_words import spoken

from fonoteka.alignment.aligner import align_text, shifted
from fonoteka.alignment.written_words import WORDS_AT_ONCE, written_words
from fonoteka.g2p.g2p import phones_of
from fonoteka.text.normalizer import normalize


def test_words_lie_where_they_are_spoken():
    signal, log_probs = spoken(["dobar", "dan"])
    text = align_text("Dobar dan!", "sr", signal, log_probs, "m")
    (line,) = text.lines
    assert [word.text for word in line.words] == ["Dobar", "dan!"]
    starts = [word.start_s for word in line.words]
    assert starts == pytest.approx([0.2, 0.2 + 20 * 0.02 + 0.2], abs=0.01)
    assert line.end_s == pytest.approx(1.04, abs=0.01)
    assert "".join(phone.symbol for phone in line.words[0].phones) == "dobar"
    assert not any(word.is_suspect for word in text.words)
    assert (text.model, text.language) == ("m", "sr")


def test_lines_of_the_text_stay_lines():
    signal, log_probs = spoken(["dobar", "dan", "svima"])
    text = align_text("Dobar dan\n\n  \nsvima\n", "sr", signal, log_probs)
    assert [line.text for line in text.lines] == ["Dobar dan", "svima"]


def test_digits_and_cyrillic_are_written_as_they_were():
    signal, log_probs = spoken(["imam", "dva", "psa"])
    (line,) = align_text("Имам 2 пса.", "sr", signal, log_probs).lines
    assert [(word.text, word.spoken) for word in line.words] == [
        ("Имам", "imam"), ("2", "dva"), ("пса.", "psa"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "suspects"),
    [
        ("dobar dan svima", []),
        ("dobar zec svima", ["zec", "svima"]),  # swapped: "dan" is in no word
        ("dobar dan zec svima", ["zec"]),  # added
        ("dobar svima", ["svima"]),  # dropped: speech before "svima" is in no word
    ],
)
def test_a_wrong_word_is_suspect(text, suspects):
    signal, log_probs = spoken(["dobar", "dan", "svima"])
    (line,) = align_text(text, "sr", signal, log_probs).lines
    assert [word.text for word in line.words if word.is_suspect] == suspects


def test_speech_after_the_last_word_is_counted():
    signal, log_probs = spoken(["dobar", "dan"])
    assert align_text("dobar", "sr", signal, log_probs).unexplained_s > 0.1
    assert align_text("dobar dan", "sr", signal, log_probs).unexplained_s < 0.01


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty; give the words that are spoken"),
        (" \n ", "the text is empty"),
        ("这是中文", "这"),
        (
            "dobar dan " * 40,
            "2.24 s of sound are too short for the 320 phones of the text; at most 50",
        ),
    ],
)
def test_a_text_without_times_is_refused(text, message):
    signal, log_probs = spoken(["dobar", "dan"])
    signal, log_probs = np.tile(signal, 2)[: 112 * 320], np.tile(log_probs, (2, 1))[:112]
    with pytest.raises(ValueError, match=message):
        align_text(text, "sr", signal, log_probs)


def test_silence_has_no_words():
    log_probs = spoken(["dan"])[1]
    silence = np.zeros(len(log_probs) * 320, dtype=np.float32)
    with pytest.raises(ValueError, match="no sound above -60 dB of full scale; no word has a time"):
        align_text("dan", "sr", silence, log_probs)


def test_a_part_of_a_longer_recording_is_shifted_with_its_phones():
    signal, log_probs = spoken(["dan"])
    text = align_text("dan", "sr", signal, log_probs)
    (line,) = shifted(text, 100.0)
    assert line.start_s == pytest.approx(100 + text.lines[0].start_s)
    assert line.words[0].phones[0].start_s == line.start_s


@pytest.mark.parametrize("lacking", range(0, 320, 31))
def test_a_word_that_ends_with_the_recording_does_not_end_after_it(lacking):
    signal, log_probs = spoken(["dobar", "dan"])
    loud_end = len(signal) - 10 * 320  # without the pause
    part = signal[: loud_end - lacking]  # of any number of samples: 1 / 16,000 s are 0.0625 ms
    text = align_text("dobar dan", "sr", part, log_probs[: loud_end // 320])
    (line,) = text.lines
    assert text.duration_s - 1e-4 < line.end_s <= text.duration_s
    start_s = 0.00003
    (moved,) = shifted(text, start_s)
    assert moved.end_s <= text.duration_s + start_s


def test_signs_without_a_sound_belong_to_the_word_before():
    words = written_words("– Dobar – dan !", "sr")
    assert [word.text for word in words] == ["– Dobar –", "dan !"]


SENTENCES = st.lists(
    st.sampled_from(["Ana", "ima", "2", "psa,", "15.", "maja", "Љубав", "–", "u", "10:30", "km"]),
    min_size=1, max_size=9,
)  # fmt: skip


@given(SENTENCES)
def test_every_phone_belongs_to_one_word_and_every_sign_is_kept(tokens):
    line = " ".join(tokens)
    try:
        canonical = normalize(line, "sr")
    except ValueError:
        return
    words = written_words(line, "sr")
    assert tuple(p for word in words for p in word.phones) == phones_of(canonical, "sr")
    assert " ".join(word.text for word in words).split() == tokens


def test_a_long_line_is_read_in_parts():
    words = written_words("dobar dan " * WORDS_AT_ONCE, "sr")
    assert len(words) == 2 * WORDS_AT_ONCE
