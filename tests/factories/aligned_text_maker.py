"""Aligned texts by hand, and at random with hostile words, words of 0 ms and long recordings."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

from fonoteka.alignment.aligned_text import AlignedLine, AlignedPhone, AlignedText, AlignedWord

WORDS = (
    "čaša", "ćuk", "đak", "šuma", "žaba", "Ђаче!", "љубав,", "Њега", "2,", '"da"',
    "&", "rock'n'roll",
)  # fmt: skip
HOSTILE = (
    "", "\0", "a\0b", "\x1b[2J", "novi\nred", "a\r\n\r\nb", "a\u2028b", "a\x85b", "\tx ", "\ud800",
    "\ufeffa", "<script>alert(1)</script>", "<i>", "</i>", "&lt;", "-->",
    "00:00:01,000 --> 00:00:02,000",
    "00:00:01.000 --> 00:00:02.000", "NOTE", "STYLE", "WEBVTT", "1", "<00:00:01.000>", "<c.x>",
    "[00:01.00]", "<00:01.00>", "[ 00:01.00 ]", "[offset:500]", "[", "<", r"{\k}", r"{\k9999}", "{",
    "}",
    r"\N", "\\", "Dialogue: 0,0:00:00.00,0:00:01.00,,,0,0,0,,x", "[Events]", ",", ";;", '"', '""',
    "\u202eabc", "שלום\u200f", "\u200b", "e\u0301", "😀",
)  # fmt: skip
PHONES = ("a", "ts", "tɕ", "dʑ", "ʃ", "ɲ")


def aligned(*lines, duration_s, language="sr"):
    """Return a text from its lines of (word, start_s, end_s); each word has two phones."""
    return AlignedText(
        language,
        duration_s,
        tuple(AlignedLine(tuple(aligned_word(*word) for word in line)) for line in lines),
        "toy",
    )


def aligned_word(text, start_s, end_s, phones=2):
    edges = [start_s + (end_s - start_s) * n / phones for n in range(phones)] + [end_s]
    return AlignedWord(
        text,
        start_s,
        end_s,
        0.9,
        tuple(
            AlignedPhone(PHONES[n % len(PHONES)], edges[n], edges[n + 1], 0.8)
            for n in range(phones)
        ),
        "toy",
    )


def seen(text):
    """Return the characters of a word that a file contains, without those that it must not."""
    signs = (
        sign
        for sign in text
        if sign.isspace() or (unicodedata.category(sign) not in ("Cc", "Cs") and sign != "\ufeff")
    )
    return " ".join("".join(signs).split()) or "\ufffd"


# 0 s, less than a millisecond, less than a centisecond, and up to a minute.
LENGTHS_S = st.one_of(
    st.sampled_from((0.0, 0.0004, 0.0005, 0.004, 0.005, 0.995, 0.9996, 59.9996)),
    st.floats(0, 3, allow_nan=False),
)
TEXTS = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(HOSTILE), st.text(max_size=8), st.text("[]<>{}\\:.-0 ")
)


@st.composite
def aligned_texts(draw, words=TEXTS):
    """Return texts of up to 4 lines of up to 6 words, some of them after the first hour."""
    time_s = draw(st.sampled_from((0.0, 0.0, 59.99, 3599.9996, 36_000.0)))
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        line = []
        for _ in range(draw(st.integers(1, 6))):
            start_s = time_s + draw(LENGTHS_S)
            time_s = start_s + draw(LENGTHS_S)
            line.append(aligned_word(draw(words), start_s, time_s, draw(st.integers(1, 4))))
        lines.append(AlignedLine(tuple(line)))
    # A recording without a millisecond is tested by hand: a TextGrid cannot have one.
    return AlignedText("sr", time_s + 0.05 + draw(LENGTHS_S), tuple(lines), "toy")
