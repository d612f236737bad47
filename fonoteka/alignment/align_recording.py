"""Align a recording with its text, or with the words that Whisper recognises in it.

Reads   a recording of any length, its text, a packaged phone recogniser; without a text, a Whisper
Writes  one file per format; see `fonoteka.alignment.formats`
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText, broken_into_lines
from fonoteka.alignment.aligner import align_text, shifted
from fonoteka.alignment.formats.writers import FORMATS, write_alignment
from fonoteka.alignment.karaoke_audio import media_type_of
from fonoteka.alignment.karaoke_page import write_karaoke
from fonoteka.alignment.written_script import in_script
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.phones import LANGUAGES
from fonoteka.scripts import IN_CYRILLIC, check_script
from fonoteka.text.language_id import identify_language
from fonoteka.text.transliteration import has_cyrillic
from fonoteka.transcribe import (
    PhoneModel,
    load_recording,
    longest_input_s,
    open_phone_model,
    posteriors,
)
from fonoteka.transcribe_words import AUTO, Options, Transcriber
from fonoteka.whisper.model_folder import words_folder

MOST_SUSPECT = 0.5
"""If a larger share of the words is suspect, another text is probably spoken."""

LOW_SCORE = 0.15
"""If a text has a lower score, its times are doubtful. On a third of the validation clips, right
texts have 0.20 or more, and texts of other clips of the language at most 0.07."""

LEAST_WORD_SCORE = 0.001
"""A word with a lower score counts as this one, so that one word does not decide a text."""


@dataclass(frozen=True)
class AlignmentRequest:
    """What is aligned, and how.

    Attributes:
        recording: of any format that can be read.
        text: a file with the words that are spoken, UTF-8; None to recognise them.
        language: code, or `auto`: guessed from the text, or recognised.
        model: name of a phone recogniser, or its folder.
        words_model: the Whisper that is used without a text, see `words_folder`.
    """

    recording: Path
    text: Path | None
    language: str = AUTO
    model: str = "whisper_ctc"
    words_model: str | None = None

    def __post_init__(self) -> None:
        if self.language not in (AUTO, *LANGUAGES):
            raise UserError(
                f"language {self.language!r} is unknown; expected one of "
                f"{', '.join((AUTO, *LANGUAGES))}"
            )


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UserError: it is missing, not UTF-8, has a NUL, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text in UTF-8; save it as UTF-8") from error
    if "\0" in text:
        raise UserError(f"{path}: contains a NUL, so it is not a text")
    if not text.strip():
        raise UserError(f"{path}: is empty; write the words that are spoken into it")
    return text


def align_recording(request: AlignmentRequest) -> AlignedText:
    """Return the text of a recording with its times; a doubtful result is reported on stderr.

    Lines of the text stay lines. A text of one line, or a recognised one, is broken at pauses and
    after 42 letters, because a subtitle cannot show a minute of speech.

    Raises:
        UserError: the recording, its text or a model cannot be used.
    """
    written = None if request.text is None else read_text(request.text)
    signal = load_recording(request.recording)
    model = open_phone_model(request.model)
    if written is None:
        aligned = _recognised(request, signal, model)
    else:
        language = request.language
        if language == AUTO:
            language = identify_language(written).language
            print(f"{request.text}: language {language}, by its text", file=sys.stderr)
        aligned = _aligned(written, language, signal, model)
    if doubt := doubt_of(aligned):
        print(f"{request.recording}: {doubt}", file=sys.stderr)
    has_lines = written is not None and len(aligned.lines) > 1
    return aligned if has_lines else broken_into_lines(aligned)


def score_of(text: AlignedText) -> float:
    """Return the score of a text: the geometric mean of those of its words, 0 to 1."""
    logs = [math.log(max(word.score, LEAST_WORD_SCORE)) for word in text.words]
    return math.exp(sum(logs) / len(logs))


def doubt_of(text: AlignedText) -> str:
    """Return a sentence with the score of a text that is doubtful, else nothing."""
    words = list(text.words)
    suspect = sum(word.is_suspect for word in words)
    score = score_of(text)
    if score >= LOW_SCORE and suspect <= MOST_SUSPECT * len(words):
        return ""
    return (
        f"the text fits badly: its score is {score:.2f} of 1, and {suspect} of {len(words)} words "
        "are suspect; another text or language, singing or noise has doubtful times"
    )


def _aligned(text: str, language: str, signal: Signal, model: PhoneModel) -> AlignedText:
    log_probs = posteriors(model.session, signal, longest_input_s(model.session))
    return align_text(text, language, signal, log_probs, model.name)


def _recognised(request: AlignmentRequest, signal: Signal, model: PhoneModel) -> AlignedText:
    """Return the words that Whisper recognises, each aligned in its window."""
    transcriber = Transcriber(words_folder(request.words_model))
    options = Options(request.language, None)
    place = str(request.recording)
    lines: list[AlignedLine] = []
    language = request.language
    for window in transcriber.lines([signal], options, place):
        language = transcriber.language
        first, after = (round(s * SAMPLE_RATE_HZ) for s in (window.start_s, window.end_s))
        try:
            part = _aligned(window.text, language, signal[first:after], model)
        except UserError as error:
            print(
                f"{place}: {window.start_s:.2f} to {window.end_s:.2f} s is left out: {error}",
                file=sys.stderr,
            )
            continue
        lines += shifted(part, window.start_s)
    if not lines:
        raise UserError(f"{place}: no words were recognised; give them with --text")
    return AlignedText(language, len(signal) / SAMPLE_RATE_HZ, tuple(lines), model.name)


def write_files(
    request: AlignmentRequest, formats: Sequence[str], out: Path | None, script: str | None
) -> list[Path]:
    """Align a recording, write a file per format, and return their paths.

    Args:
        request: what is aligned.
        formats: names of `fonoteka.alignment.formats`.
        out: folder of the files; None for the recording's.
        script: `latin`, or `cyrillic` for bs and sr; None keeps that of the text.

    Raises:
        UserError: as `align_recording` and `check_script`, a format is unknown, or two formats have
            one file name.
    """
    check_script(None if request.language == AUTO else request.language, script)
    folder = out or request.recording.parent
    paths: dict[Path, str] = {}
    for name in formats:
        if name not in FORMATS:
            raise UserError(f"format {name!r} is not one of {', '.join(FORMATS)}")
        path = folder / f"{request.recording.stem}{FORMATS[name].suffix}"
        if path in paths:
            raise UserError(f"formats {paths[path]} and {name} both write {path}; choose one")
        paths[path] = name
    text = align_recording(request)
    if script is not None:
        text = in_script(text, script)
    for path, name in paths.items():
        write_alignment(text, name, path)
    return list(paths)


def write_page(
    request: AlignmentRequest, out: Path | None, title: str | None, *, embed: bool
) -> Path:
    """Align a recording, write its karaoke page, and return the page's path.

    Args:
        request: what is aligned; Serbian and Bosnian words are in the page in both scripts.
        out: the page; None for the recording's name with `.html`.
        title: of the page; None for the recording's name.
        embed: whether the page contains the recording.

    Raises:
        UserError: as `align_recording`, the page cannot be written, or a browser cannot play the
            recording.
    """
    page = out or request.recording.with_suffix(".html")
    media_type_of(request.recording)  # refused before the recording is aligned
    text = align_recording(request)
    other = None
    if text.language in IN_CYRILLIC:
        words = " ".join(word.text for word in text.words)
        other = in_script(text, "latin" if has_cyrillic(words) else "cyrillic")
    try:
        write_karaoke(
            text, request.recording, page, embed=embed,
            title=title or request.recording.stem, other_script=other,
        )  # fmt: skip
    except OSError as error:
        raise UserError(
            f"{page}: cannot be written: {error.strerror or error}; choose another place with --out"
        ) from error
    return page
