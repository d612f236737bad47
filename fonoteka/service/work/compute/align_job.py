"""Align a text with a recording in turns, as `fonoteka align` does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fonoteka.alignment.align_recording import doubt_of
from fonoteka.alignment.aligned_text import AlignedLine, AlignedText, broken_into_lines
from fonoteka.alignment.aligner import align_text
from fonoteka.alignment.written_script import in_script
from fonoteka.core.errors import UserError
from fonoteka.phones import LANGUAGES
from fonoteka.scripts import check_script
from fonoteka.service.interfaces import AlignJob, Segment, Unit
from fonoteka.service.work.compute.phones_job import posterior_pieces
from fonoteka.service.work.compute.sample_file import SampleFile
from fonoteka.service.work.compute.turns import JobResult, Turns
from fonoteka.text.language_id import identify_language
from fonoteka.transcribe import PhoneModel
from fonoteka.transcribe_words import AUTO

LONGEST_S = 3600.0
"""An hour with a full text takes 2 minutes to align and 1.4 GB, because the search is over all
frames and phones; both grow with the square of the length."""


def align(job: AlignJob, audio: SampleFile, model: PhoneModel, turns: Turns) -> JobResult:
    """Emit the lines of a text with the times of their words and phones.

    Raises:
        UserError: the text or its language cannot be used, the text or the recording is too long,
            or a sample is not finite.
    """
    language = language_of(job)
    check_script(language, job.script)
    if audio.seconds > LONGEST_S:
        raise UserError(
            f"{audio.seconds:.0f} s of sound; at most {LONGEST_S:.0f} s are aligned at once, send "
            "them in parts"
        )
    log_probs = np.concatenate(list(posterior_pieces(audio, model, turns)))
    with turns.pausing():
        text = align_text(job.text, language, audio.read(0, audio.size), log_probs, model.name)
        doubt = doubt_of(text)
        if job.script is not None:
            text = in_script(text, job.script)
        if len(text.lines) == 1:
            text = broken_into_lines(text)
    for line in text.lines:
        turns.emit(_segment(line, text))
    return JobResult(language, doubt)


def language_of(job: AlignJob) -> str:
    """Return the language of a text, guessed if it is not stated.

    Raises:
        UserError: it is unknown, or the text has none.
    """
    if not job.text.strip():
        raise UserError("the text is empty; give the words that are spoken")
    if "\0" in job.text:
        raise UserError("the text contains a NUL; remove it")
    if job.language == AUTO:
        return identify_language(job.text).language
    if job.language not in LANGUAGES:
        raise UserError(
            f"language {job.language!r} is unknown; expected one of {', '.join((AUTO, *LANGUAGES))}"
        )
    return job.language


def _segment(line: AlignedLine, text: AlignedText) -> Segment:
    words = tuple(Unit(word.text, word.start_s, word.end_s, word.score) for word in line.words)
    phones = tuple(
        Unit(phone.symbol, phone.start_s, phone.end_s, phone.score)
        for word in line.words
        for phone in word.phones
    )
    alone = replace(text, lines=(line,))
    return Segment(
        line.text, line.start_s, line.end_s, words, phones, is_doubtful=bool(doubt_of(alone))
    )
