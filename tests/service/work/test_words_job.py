"""The words of a job are those of `fonoteka transcribe --words`, with the times of the words."""

from __future__ import annotations

import numpy as np
import pytest
from pool_runner import in_turns, silence_file, speech
from service_packages import TEXTS, phone_package, save_samples, words_package

from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import WordsJob
from fonoteka.service.work.compute import words_job
from fonoteka.service.work.compute.loaded_models import opened
from fonoteka.service.work.compute.sample_file import BLOCK_S, SampleFile
from fonoteka.service.work.compute.words_job import WINDOWS, recognise_words
from fonoteka.transcribe_words import Options, Transcriber

PAUSE = np.zeros(24_000, np.float32)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return words_package(tmp_path_factory.mktemp("models") / "toy_whisper")


@pytest.fixture(scope="module")
def whisper(version):
    return opened(version)


@pytest.fixture(scope="module")
def aligner(tmp_path_factory):
    return opened(phone_package(tmp_path_factory.mktemp("models") / "toy"))


@pytest.fixture(scope="module")
def talk():
    """Speech in three windows, for each of which the toy writes another text."""
    parts = [speech("dobar dan", 0.2), PAUSE, speech("kako ste", 0.5), PAUSE, speech("pa pa", 0.9)]
    return np.concatenate(parts)


@pytest.fixture
def recognised(whisper, version, tmp_path):
    def run(samples, aligner=None, quantum_s=0.1, **options):
        path = save_samples(tmp_path / "a.f32", samples)
        job = WordsJob("r", path, version, **options)
        audio = SampleFile(path)
        return in_turns(
            lambda turns: recognise_words(job, audio, whisper, aligner, turns), quantum_s
        )

    return run


@pytest.mark.parametrize(
    ("language", "script"), [("auto", None), ("sr", None), ("en", "latin"), ("sr", "cyrillic")]
)
def test_the_words_are_those_of_the_command(language, script, talk, recognised, version):
    segments, result, _ = recognised(talk, language=language, script=script)
    command = Transcriber(version.folder, WINDOWS)
    lines = list(command.lines([talk], Options(language, script)))
    assert len(lines) == 3
    assert [(s.start_s, s.end_s, s.text, s.loops) for s in segments] == [
        (line.start_s, line.end_s, line.text, line.loops) for line in lines
    ]
    assert result.language == command.language


def test_each_window_has_the_text_of_its_sound(talk, recognised):
    segments, result, _ = recognised(talk)
    assert [segment.text for segment in segments] == [*TEXTS]
    assert (result.language, result.doubt) == ("sr", "")


def test_a_segment_has_tokens_a_log_probability_and_the_probability_of_speech(talk, recognised):
    for segment in recognised(talk)[0]:
        assert len(segment.tokens) == len(segment.text.split())
        assert -0.01 < segment.log_prob < 0
        assert 0.3 < segment.speech <= 1
        assert segment.units == segment.phones == ()
        assert not segment.is_doubtful


def test_the_aligner_places_each_word_in_its_window(talk, aligner, recognised):
    for segment in recognised(talk, aligner)[0]:
        assert " ".join(unit.text for unit in segment.units) == segment.text
        times = [time for unit in segment.units for time in (unit.start_s, unit.end_s)]
        assert times == sorted(times)
        assert segment.start_s <= times[0]
        assert times[-1] <= segment.end_s


def test_the_words_have_the_script_of_the_text(talk, aligner, recognised):
    segments, *_ = recognised(talk, aligner, language="sr", script="cyrillic")
    assert segments[0].text == "добар дан"
    assert [unit.text for unit in segments[0].units] == ["добар", "дан"]


def test_words_that_cannot_be_placed_are_counted_and_their_text_stays(
    talk, aligner, recognised, monkeypatch
):
    def refuse(text, *_):
        raise UserError(f"{text} has no reading")

    monkeypatch.setattr(words_job, "align_text", refuse)
    segments, result, _ = recognised(talk, aligner)
    assert [segment.text for segment in segments] == [*TEXTS]
    assert all(segment.is_doubtful and not segment.units for segment in segments)
    assert result.doubt.startswith("the words of 3 segments have no times; 0.")
    assert result.doubt.endswith("dobar dan has no reading")


def test_an_unknown_language_is_refused_even_without_speech(recognised):
    with pytest.raises(UserError, match="language 'xx' is unknown to this Whisper model"):
        recognised(PAUSE, language="xx")


def test_a_script_that_the_language_lacks_is_refused(talk, recognised):
    with pytest.raises(UserError, match="language hr is not written in Cyrillic"):
        recognised(talk, language="hr", script="cyrillic")


@pytest.mark.parametrize("language", ["auto", "sr"])
def test_a_recording_without_speech_has_no_segment(language, recognised):
    segments, result, _ = recognised(PAUSE, language=language)
    assert segments == []
    assert result.language == ("" if language == "auto" else language)


def test_a_recording_of_silence_is_read_in_turns(whisper, version, tmp_path):
    path = silence_file(tmp_path / "a.f32", 600)
    job, audio = WordsJob("r", path, version, language="sr"), SampleFile(path)
    _, _, turns = in_turns(lambda turns: recognise_words(job, audio, whisper, None, turns), 0)
    assert turns == 600 / BLOCK_S + 1


def test_the_words_do_not_depend_on_where_turns_end(talk, aligner, recognised):
    many, few = recognised(talk, aligner, quantum_s=0), recognised(talk, aligner, quantum_s=60)
    assert many[:2] == few[:2]
    assert many[2] > 3 * few[2]


def test_the_gate_that_jobs_copy_stays_at_the_start_of_a_recording(talk, recognised, whisper):
    first = recognised(talk)[0]
    assert whisper.gate.position == 0
    assert recognised(talk)[0] == first
