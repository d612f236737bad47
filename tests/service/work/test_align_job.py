"""A text gets the times that `fonoteka align` gives it, and mistakes are one sentence."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from pool_runner import in_turns
from service_packages import phone_package, save_samples, written_phones

from fonoteka.alignment.align_recording import AlignmentRequest, align_recording
from fonoteka.core.errors import UserError
from fonoteka.service.interfaces import AlignJob
from fonoteka.service.work.compute.align_job import align
from fonoteka.service.work.compute.loaded_models import opened
from fonoteka.service.work.compute.sample_file import SampleFile

TEXT = "Dobar dan,\nljudi!"


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return phone_package(tmp_path_factory.mktemp("models") / "toy")


@pytest.fixture(scope="module")
def model(version):
    return opened(version)


@pytest.fixture
def aligned(model, version, tmp_path):
    def run(text=TEXT, samples=None, **options):
        samples = written_phones("d o b a r d a n ʎ u d i") if samples is None else samples
        path = save_samples(tmp_path / "a.f32", samples)
        job = AlignJob("r", path, version, text=text, **options)
        return in_turns(lambda turns: align(job, SampleFile(path), model, turns))

    return run


@pytest.mark.parametrize("text", [TEXT, "dobar dan ljudi", "dobar dan ljudi " * 8])
def test_lines_and_times_are_those_of_the_command(text, aligned, version, tmp_path):
    samples = np.tile(written_phones("d o b a r d a n ʎ u d i"), 8)
    segments, result, _ = aligned(text, samples, language="sr")
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    (tmp_path / "a.txt").write_text(text)
    expected = align_recording(
        AlignmentRequest(tmp_path / "a.wav", tmp_path / "a.txt", "sr", str(version.folder))
    )
    assert [s.text for s in segments] == [line.text for line in expected.lines]
    units = [unit for segment in segments for unit in segment.units]
    words = list(expected.words)
    assert [(u.text, u.start_s, u.end_s, u.confidence) for u in units] == [
        (word.text, word.start_s, word.end_s, word.score) for word in words
    ]
    phones = [phone for segment in segments for phone in segment.phones]
    assert [(p.text, p.start_s) for p in phones] == [
        (phone.symbol, phone.start_s) for word in words for phone in word.phones
    ]
    assert result.language == "sr"


def test_lines_of_the_text_are_segments(aligned):
    segments, result, _ = aligned()
    assert [segment.text for segment in segments] == TEXT.splitlines()
    assert [phone.text for phone in segments[1].phones] == ["ʎ", "u", "d", "i"]
    assert not any(segment.is_doubtful for segment in segments)
    assert result.doubt == ""


def test_the_language_is_guessed_from_the_text(aligned):
    assert aligned("Добар дан, људи!", language="auto")[1].language == "sr"


def test_words_get_the_script_that_is_asked_for(aligned):
    segments, *_ = aligned(language="sr", script="cyrillic")
    assert [segment.text for segment in segments] == ["Добар дан,", "људи!"]


def test_another_text_is_doubtful(aligned):
    segments, result, _ = aligned("pismo i sunce", language="sr")
    assert all(segment.is_doubtful for segment in segments)
    assert result.doubt.startswith("the text fits badly: its score is 0.0")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": " \n"}, "the text is empty; give the words that are spoken"),
        ({"text": "a\0b"}, "the text contains a NUL; remove it"),
        ({"text": "!?", "language": "sr"}, "no word in the text"),
        ({"language": "de"}, "language 'de' is unknown; expected one of auto, bs, en, hr, sr"),
        ({"language": "hr", "script": "cyrillic"}, "language hr is not written in Cyrillic"),
        ({"text": "dobar dan " * 90, "language": "sr"}, "are too short for the 720 phones"),
        ({"samples": np.zeros(9_000, np.float32)}, "the recording has no sound above -60 dB"),
    ],
)
def test_mistakes_are_one_sentence(change, reason, aligned):
    with pytest.raises(UserError, match=reason):
        aligned(**change)
