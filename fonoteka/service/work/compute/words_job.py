"""Recognise the words of a recording in turns, as `fonoteka transcribe --words` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.align_recording import doubt_of
from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.aligner import align_text, shifted
from fonoteka.alignment.written_script import in_script
from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.phones import LANGUAGES
from fonoteka.scripts import check_script, transliterated
from fonoteka.service.interfaces import Segment, Unit, WordsJob
from fonoteka.service.work.compute.loaded_models import WordModel
from fonoteka.service.work.compute.noting_gate import NotingGate
from fonoteka.service.work.compute.sample_file import SampleFile
from fonoteka.service.work.compute.shared_sessions import twin
from fonoteka.service.work.compute.turns import JobResult, Turns
from fonoteka.speech_windows import SpeechWindow, WindowParams, speech_windows
from fonoteka.transcribe import PhoneModel, longest_input_s, posteriors
from fonoteka.transcribe_words import AUTO, first_windows, languages_of
from fonoteka.whisper.decode import Recogniser, Step, recognise
from fonoteka.whisper.rules import TokenRules
from fonoteka.whisper.spoken_language import most_probable

WINDOWS = WindowParams(max_s=10.0)
"""Windows of the service are shorter than the 28 s of the command: the first text comes sooner, and
the pass of the encoder, which no turn can interrupt, takes a third."""


def recognise_words(
    job: WordsJob, audio: SampleFile, model: WordModel, aligner: PhoneModel | None, turns: Turns
) -> JobResult:
    """Emit the words of a recording, a segment per window of speech.

    Args:
        job: language and script.
        audio: its samples.
        model: the Whisper.
        aligner: places the words of each window; None for segments without units.
        turns: of this job.

    Raises:
        UserError: the language is unknown to the model or not written in the script, or a sample
            is not finite.
    """
    gate = twin(model.gate)
    whisper = PacedWhisper(model.whisper, turns)
    windows = speech_windows(_paced(audio, turns), gate, WINDOWS)
    language = job.language
    check_script(None if language == AUTO else language, job.script)
    if language == AUTO:
        first = list(first_windows(windows))
        if not first:
            return JobResult(language="")
        language = most_probable(languages_of(whisper, first), LANGUAGES)
        check_script(language, job.script)
        windows = chain(first, windows)
    else:
        whisper.rules.prompt(language)  # refuses an unknown language, also without speech
    writer = _Writer(whisper, gate, aligner, language, job.script)
    for window in windows:
        turns.emit(writer.segment(window))
    return JobResult(language, writer.doubt())


def _paced(audio: SampleFile, turns: Turns) -> Iterator[Signal]:
    """Yield the blocks of a recording, with a pause before each: silence is work too."""
    for block in audio.blocks():
        turns.pause()
        yield block


class PacedWhisper:
    """A Whisper that pauses after each token, and notes the tokens of the last text."""

    def __init__(self, whisper: Recogniser, turns: Turns) -> None:
        self._whisper, self._turns = whisper, turns
        self.tokens: tuple[int, ...] = ()

    @property
    def rules(self) -> TokenRules:
        """The tokens that steer decoding."""
        return self._whisper.rules

    def start(self, signals: Sequence[Signal], input_s: float) -> Step:
        """Return the step of a decoder; see `Recogniser`."""
        step = self._whisper.start(signals, input_s)

        def paced(tokens: NDArray[np.int64]) -> NDArray[np.float32]:
            self._turns.pause()
            return step(tokens)

        return paced

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens; of a loop that is decoded again, the last call counts."""
        self.tokens = tuple(tokens)
        return self._whisper.text(tokens)


@dataclass
class _Writer:
    """Turns windows of speech into segments."""

    whisper: PacedWhisper
    gate: NotingGate
    aligner: PhoneModel | None
    language: str
    script: str | None
    unplaced: list[str] = field(default_factory=list)

    def segment(self, window: SpeechWindow) -> Segment:
        """Return the segment of a window."""
        (result,) = recognise(self.whisper, [window.signal], [self.language], short=True)
        segment = Segment(
            transliterated(result.text, self.language, self.script), window.start_s, window.end_s,
            tokens=self.whisper.tokens, log_prob=result.log_prob, loops=result.loops,
            speech=round(self.gate.speech(window.start_s, window.end_s), 4),
        )  # fmt: skip
        if self.aligner is None or not result.text:
            return segment
        try:
            return self._with_units(segment, result.text, window, self.aligner)
        except UserError as error:
            # Whisper may write more than fits into the window, or signs that have no sound.
            self.unplaced.append(f"{window.start_s:.2f} to {window.end_s:.2f} s: {error}")
            return replace(segment, is_doubtful=True)

    def _with_units(
        self, segment: Segment, text: str, window: SpeechWindow, aligner: PhoneModel
    ) -> Segment:
        """Return a segment with the times of its words.

        Raises:
            UserError: the text cannot be aligned.
        """
        log_probs = posteriors(aligner.session, window.signal, longest_input_s(aligner.session))
        part = align_text(text, self.language, window.signal, log_probs, aligner.name)
        if self.script is not None:
            part = in_script(part, self.script)
        units = word_units(part, window.start_s)
        return replace(segment, units=units, is_doubtful=bool(doubt_of(part)))

    def doubt(self) -> str:
        """Return a sentence if words have no times, else nothing."""
        if not self.unplaced:
            return ""
        return f"the words of {len(self.unplaced)} segments have no times; {self.unplaced[0]}"


def word_units(text: AlignedText, start_s: float = 0.0) -> tuple[Unit, ...]:
    """Return the words of a text that begins at `start_s` of a recording."""
    lines = shifted(text, start_s)
    words = (word for line in lines for word in line.words)
    return tuple(Unit(word.text, word.start_s, word.end_s, word.score) for word in words)
