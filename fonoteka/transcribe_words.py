"""Transcribe recordings of any length to words with Whisper.

    python -m fonoteka transcribe --words lecture.mp3 ... [--language auto] [--times]

Reads   the folder of a Whisper model, and recordings of any rate and number of channels; formats
        that libsndfile lacks, such as m4a, webm and video, by ffmpeg if it is installed
Writes  nothing; prints one line per window of speech: its text, or with --times start, end, text

A recording is read in blocks. The speech gate finds speech, because Whisper writes words for
silence and noise; speech is joined to windows of up to 28 s, and each window is decoded by itself.
So the memory does not grow with the recording: two hours need as much as two minutes.

A packaged model runs in ONNX Runtime with one thread, any other one in torch.
If a folder has a package.json, all its files are compared with it before the model is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.phones import LANGUAGES
from fonoteka.recording_blocks import signal_blocks
from fonoteka.scripts import check_script, transliterated
from fonoteka.speech_gate import SpeechGate
from fonoteka.speech_windows import SpeechWindow, WindowParams, speech_windows
from fonoteka.whisper.decode import Recogniser, recognise
from fonoteka.whisper.model_folder import open_model_folder, words_folder
from fonoteka.whisper.spoken_language import Probabilities, most_probable, spoken_language

AUTO = "auto"

_LANGUAGE_S = 30.0  # speech from which the language of a recording is recognised


@dataclass(frozen=True)
class Options:
    """How recordings are transcribed.

    Attributes:
        language: code of the language, or `auto`: the most probable one of each recording.
        script: `latin`, or `cyrillic` for bs and sr; None keeps the script that was decoded.
        times: whether to print start and end of each window in seconds.
    """

    language: str = AUTO
    script: str | None = None
    times: bool = False

    def __post_init__(self) -> None:
        check_script(None if self.language == AUTO else self.language, self.script)


@dataclass(frozen=True)
class TimedText:
    """The text of one window.

    Attributes:
        start_s, end_s: in the recording.
        text: in the script that was asked for.
        loops: whether the text repeats itself, so that it is probably wrong.
    """

    start_s: float
    end_s: float
    text: str
    loops: bool


class Transcriber:
    """A Whisper model and a speech gate for recordings, one after the other."""

    def __init__(
        self, folder: Path, windows: WindowParams | None = None, *, int8: bool = False
    ) -> None:
        """Load the model.

        Args:
            folder: of the model, see `open_model_folder`.
            windows: how speech is joined.
            int8: use the int8 files of an exported model.

        Raises:
            UserError: the folder is not the one of a Whisper model, or the package silero-vad is
                missing.
        """
        self.gate = SpeechGate()
        opened = open_model_folder(folder, int8)
        self.whisper, self.short = opened.model, opened.short
        self.windows = windows or WindowParams()
        self.language = AUTO  # of the recording whose lines are read, once it is known

    def lines(
        self, blocks: Iterable[Signal], options: Options, place: str = "recording"
    ) -> Iterator[TimedText]:
        """Yield the texts of a recording, and print its language to stderr if it was recognised.

        Args:
            blocks: the recording at 16 kHz, in blocks `[T]`.
            options: language and script.
            place: the name of the recording in messages.

        Raises:
            UserError: the language is unknown to the model, or not written in the script.
        """
        windows = speech_windows(blocks, self.gate, self.windows)
        language = options.language
        if language == AUTO:
            first = list(first_windows(windows))
            if not first:
                return
            language = self._recognised_language(first, place)
            check_script(language, options.script)
            windows = chain(first, windows)
        self.language = language
        for window in windows:
            yield self._line(window, language, options.script)

    def _line(self, window: SpeechWindow, language: str, script: str | None) -> TimedText:
        (result,) = recognise(self.whisper, [window.signal], [language], short=self.short)
        text = transliterated(result.text, language, script)
        return TimedText(window.start_s, window.end_s, text, result.loops)

    def _recognised_language(self, windows: Sequence[SpeechWindow], place: str) -> str:
        languages = languages_of(self.whisper, windows)
        language, first = most_probable(languages, LANGUAGES), most_probable(languages)
        other = "" if first == language else f"; {first} is more probable, {languages[first]:.2f}"
        print(
            f"{place}: language {language}, probability {languages[language]:.2f}{other}",
            file=sys.stderr,
        )
        return language


def languages_of(whisper: Recogniser, windows: Sequence[SpeechWindow]) -> Probabilities:
    """Return the languages of a recording, by the first 30 s of its windows of speech."""
    speech = np.concatenate([window.signal for window in windows])
    return spoken_language(whisper, speech[: round(_LANGUAGE_S * SAMPLE_RATE_HZ)])


def first_windows(windows: Iterator[SpeechWindow]) -> Iterator[SpeechWindow]:
    """Yield the windows that contain the first 30 s of speech."""
    seconds = 0.0
    while seconds < _LANGUAGE_S and (window := next(windows, None)) is not None:
        seconds += window.end_s - window.start_s
        yield window


def printed(line: TimedText, times: bool) -> str:
    r"""Return the line to print; a model may write line breaks and tabs.

    >>> printed(TimedText(0.5, 2.0, "dobar\n dan", False), times=True)
    '0.50\t2.00\tdobar dan'
    """
    text = " ".join(line.text.split())
    return f"{line.start_s:.2f}\t{line.end_s:.2f}\t{text}" if times else text


def run(
    recordings: Sequence[Path], model: str | None, options: Options, *, int8: bool = False
) -> None:
    """Print the words of recordings, each window as soon as it is decoded.

    Args:
        recordings: of any rate and length.
        model: see `words_folder`.
        options: language, script and times.
        int8: use the int8 files of an exported model.

    Raises:
        UserError: a recording or the model cannot be used.
    """
    if missing := next((path for path in recordings if not path.is_file()), None):
        raise UserError(f"{missing}: no such file")  # before the model is loaded
    transcriber = Transcriber(words_folder(model), int8=int8)
    if options.language != AUTO:
        transcriber.whisper.rules.prompt(options.language)  # refuses an unknown language at once
    for recording in recordings:
        _print_words(transcriber, recording, options, len(recordings) > 1)


def _print_words(transcriber: Transcriber, recording: Path, options: Options, named: bool) -> None:
    blocks = _Counted(signal_blocks(recording))
    count = 0
    for line in transcriber.lines(blocks, options, str(recording)):
        count += 1
        if line.loops:
            place = f"{recording}: {line.start_s:.2f} to {line.end_s:.2f} s"
            print(f"{place}: the text repeats itself and may be wrong", file=sys.stderr)
        print(f"{recording}:" * named + printed(line, options.times), flush=True)
    if not count:
        print(f"{recording}: no speech in {blocks.seconds:.1f} s of sound", file=sys.stderr)


class _Counted:
    """Blocks of a signal whose length is counted as they are read."""

    def __init__(self, blocks: Iterator[Signal]) -> None:
        self._blocks, self.seconds = blocks, 0.0

    def __iter__(self) -> Iterator[Signal]:
        for block in self._blocks:
            self.seconds += len(block) / SAMPLE_RATE_HZ
            yield block
