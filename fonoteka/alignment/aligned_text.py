"""A text whose words and phones have times in a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fonoteka.core.errors import UserError

SUSPECT_SCORE, SUSPECT_SPEECH_S = 0.1, 0.05
"""A word with a lower score, or with more speech before it, probably is another one."""


@dataclass(frozen=True)
class AlignedPhone:
    """A phone in a recording.

    Attributes:
        symbol: of the inventory in `fonoteka.phones`.
        start_s, end_s: in the recording.
        score: geometric mean of its probability among all phones in its frames, 0 to 1.
    """

    symbol: str
    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class AlignedWord:
    """A word of a text in a recording.

    Attributes:
        text: as written, with its punctuation: "2," or "Ђаче!".
        start_s, end_s: in the recording.
        score: geometric mean of those of its phones; low if something else is spoken.
        phones: in order; at least one.
        spoken: canonical Latin words that the written one stands for: "dva" for "2,".
        unexplained_s: seconds of speech before the word that are not in the text.
    """

    text: str
    start_s: float
    end_s: float
    score: float
    phones: tuple[AlignedPhone, ...] = ()
    spoken: str = ""
    unexplained_s: float = 0.0

    @property
    def is_suspect(self) -> bool:
        """Whether another word is probably spoken, or one more before it.

        The limits were chosen on the validation voices of the embedded corpus. How many wrong
        words they find on the test voices, and how many right ones they suspect, is `wrong_words`
        in reports/alignment.json.
        """
        return self.score < SUSPECT_SCORE or self.unexplained_s > SUSPECT_SPEECH_S


@dataclass(frozen=True)
class AlignedLine:
    """A line of lyrics, or a subtitle: words that are shown together; at least one."""

    words: tuple[AlignedWord, ...]

    def __post_init__(self) -> None:
        if not self.words:
            raise UserError("a line without words has no times")

    @property
    def text(self) -> str:
        """The words as written, with one space between two."""
        return " ".join(word.text for word in self.words)

    @property
    def start_s(self) -> float:
        """Start of the first word."""
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        """End of the last word."""
        return self.words[-1].end_s


@dataclass(frozen=True)
class AlignedText:
    """A text in a recording.

    Attributes:
        language: `bs`, `en`, `hr` or `sr`.
        duration_s: of the recording; no time exceeds it.
        lines: in the order of their times, which never overlap.
        model: name of the recogniser that placed the phones.
        unexplained_s: seconds of speech after the last word.
    """

    language: str
    duration_s: float
    lines: tuple[AlignedLine, ...]
    model: str = ""
    unexplained_s: float = 0.0

    def __post_init__(self) -> None:
        last_s = 0.0
        for word in self.words:
            if not last_s <= word.start_s <= word.end_s <= self.duration_s:
                raise UserError(
                    f"the word {word.text!r} lies at {word.start_s:g} to {word.end_s:g} s, but the "
                    f"one before ends at {last_s:g} s and the recording at {self.duration_s:g} s"
                )
            last_s = word.end_s

    @property
    def words(self) -> Iterator[AlignedWord]:
        """All words in order."""
        return (word for line in self.lines for word in line.words)


LINE_LETTERS, LINE_PAUSE_S = 42, 0.6
"""A longer line of a subtitle is broken, after the BBC's and Netflix's guides; a pause ends one."""


def broken_into_lines(
    text: AlignedText, letters: int = LINE_LETTERS, pause_s: float = LINE_PAUSE_S
) -> AlignedText:
    """Return a text whose lines have at most `letters` letters and no longer pause than `pause_s`.

    Lines that the text has already stay apart. A single longer word is a line of its own.

    >>> words = [AlignedWord(name, t, t + 0.2, 1.0) for name, t in (("dobar", 0), ("dan", 2))]
    >>> text = AlignedText("sr", 3.0, (AlignedLine(tuple(words)),))
    >>> [line.text for line in broken_into_lines(text).lines]
    ['dobar', 'dan']
    """
    lines = []
    for line in text.lines:
        current: list[AlignedWord] = []
        for word in line.words:
            width = len(" ".join([*(w.text for w in current), word.text]))
            if current and (width > letters or word.start_s - current[-1].end_s > pause_s):
                lines.append(AlignedLine(tuple(current)))
                current = []
            current.append(word)
        lines.append(AlignedLine(tuple(current)))
    return replace(text, lines=tuple(lines))
