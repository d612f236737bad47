"""Phones, times and samples of espeak-ng."""

import subprocess
import sys
import time

import numpy as np
import pytest

from fonoteka.g2p.espeak import VOICES, _timed_phones, phonemize, speak, variants
from fonoteka.phones import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_phone_times_increase_within_the_sound(language):
    text = {"en": "The old film was filled with joy, truly."}.get(language, "Ljiljan, film i džep.")
    speech = speak(text, language)
    times = np.array(speech.times_s)
    assert len(times) == len(speech.phones)
    assert (times[:, 0] < times[:, 1]).all()
    assert (times[1:, 0] >= times[:-1, 1] - 1e-4).all()  # times are rounded to 0.1 ms
    assert times[0, 0] >= 0
    assert times[-1, 1] <= len(speech.samples) / speech.sample_rate_hz + 1e-4


def test_a_phone_without_time_shares_the_time_of_the_previous_one():
    events = [(0, "f"), (100, "i"), (300, "l"), (300, "m"), (400, "")]
    phones, times = _timed_phones(events, total=500, rate=100, language="hr")
    assert phones == ("f", "i", "l", "m")
    assert times == ((0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0))


def test_an_event_of_two_phones_is_split_in_the_middle():
    phones, times = _timed_phones([(0, "əl")], total=200, rate=100, language="en")
    assert (phones, times) == (("ə", "l"), ((0.0, 1.0), (1.0, 2.0)))


def test_breath_does_not_depend_on_the_clock():
    command = (
        "from fonoteka.g2p.espeak import speak; import hashlib; "
        "print(hashlib.sha256(speak('Good morning', 'en', 'Alicia').samples).hexdigest())"
    )
    digests = set()
    for _ in range(2):
        process = subprocess.run(
            [sys.executable, "-c", command], capture_output=True, text=True, check=True
        )
        digests.add(process.stdout)
        time.sleep(1.1)  # espeak-ng seeds itself with whole seconds
    assert len(digests) == 1


def test_a_faster_voice_has_the_same_phones_in_less_time():
    slow, fast = (speak("Moja kuća", "hr", rate_wpm=rate) for rate in (120, 220))
    assert slow.phones == fast.phones
    assert len(fast.samples) < 0.8 * len(slow.samples)


def test_sound_is_16_bit_at_22050_hz_and_not_clipped():
    speech = speak("Good morning.", "en", "iven")  # the loudest variant
    assert speech.samples.dtype == np.int16
    assert speech.sample_rate_hz == 22050
    assert np.mean(np.abs(speech.samples.astype(int)) > 0.97 * 32768) < 1e-3


def test_every_language_has_a_voice():
    assert sorted(VOICES) == list(LANGUAGES)


def test_phones_do_not_depend_on_earlier_texts():
    first = phonemize("butter", "en")
    speak("Sasvim drugačije.", "sr", "f2", 200, 80, 10)
    assert speak("butter", "en").phones == first == ("b", "ʌ", "ɾ", "ɚ")


def test_an_unknown_language_is_named():
    with pytest.raises(ValueError, match="language 'de' is unknown; expected one of"):
        speak("Haus", "de")


def test_an_unknown_variant_is_named():
    with pytest.raises(ValueError, match="espeak-ng has no voice variant 'nobody'"):
        speak("house", "en", "nobody")


def test_a_text_without_phones_is_refused():
    with pytest.raises(ValueError, match="espeak-ng said nothing for '' in 'en'"):
        speak("", "en")


def test_the_plain_names_are_variants():
    assert {"f1", "m1", "whisper"} <= variants()
