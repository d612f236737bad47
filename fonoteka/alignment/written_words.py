"""The phones of each written word: "2." is spoken "drugi", "Ђаче" is "đače".

Numbers and abbreviations depend on their neighbours, so the sentence as a whole is normalised; the
phones of each word alone are then matched with those of the sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.g2p.g2p import phones_of
from fonoteka.g2p.word_spans import matched_edges
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError

WORDS_AT_ONCE = 60
"""A longer line is divided: the time of matching grows with the square of the length."""


@dataclass(frozen=True)
class WrittenWord:
    """A word as it is written, and what is spoken.

    Attributes:
        text: with its punctuation.
        spoken: canonical Latin words.
        phones: in order, at least one.
    """

    text: str
    spoken: str
    phones: tuple[str, ...]


def written_words(line: str, language: str) -> list[WrittenWord]:
    """Return the words of a line with their phones.

    A sign without a sound, such as a dash between words, belongs to the word before it.

    Raises:
        UserError: the rules cannot read the text, or nothing in it is spoken.

    >>> words = written_words("Имам 2 – psa!", "sr")
    >>> [(word.text, word.spoken, "".join(word.phones)) for word in words]
    [('Имам', 'imam', 'imam'), ('2 –', 'dva', 'dva'), ('psa!', 'psa', 'psa')]
    """
    tokens = line.split()
    words: list[WrittenWord] = []
    for start in range(0, len(tokens), WORDS_AT_ONCE):
        words += _words(tokens[start : start + WORDS_AT_ONCE], language)
    return words


def _words(tokens: list[str], language: str) -> list[WrittenWord]:
    sentence = normalize(" ".join(tokens), language)
    spoken = [_spoken_alone(token, language) for token in tokens]
    isolated: list[str] = []
    edges = [0]
    for text in spoken:
        isolated += phones_of(text, language) if text else ()
        edges.append(len(isolated))
    phones = phones_of(sentence, language)
    if not phones:
        raise UserError(f"the text {' '.join(tokens)!r} has no phone to align")
    after = matched_edges(isolated, phones, edges)
    words: list[WrittenWord] = []
    waiting = ""  # signs without a sound before the first word
    for token, text, first, end in zip(tokens, spoken, after[:-1], after[1:], strict=True):
        if end > first:
            written = f"{waiting} {token}".strip()
            words.append(WrittenWord(written, text, tuple(phones[first:end])))
            waiting = ""
        elif words:
            last = words[-1]
            words[-1] = WrittenWord(f"{last.text} {token}", last.spoken, last.phones)
        else:
            waiting = f"{waiting} {token}".strip()
    return words


def _spoken_alone(token: str, language: str) -> str:
    """Return the canonical words of a token, or nothing if it has none on its own."""
    try:
        return normalize(token, language)
    except SpellingError:
        return ""
