"""Times of digits are compared with those of pocketsphinx; the speed is counted per second."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from clip_maker import noise
from corpus_maker import shared_corpus
from spoken_words import spoken

from fonoteka.alignment.emissions import frame_levels
from fonoteka.alignment.written_words import written_words
from fonoteka.bench.alignment import compare, speed, sphinx_times
from fonoteka.bench.alignment.compare import AlignmentBenchParams, differences, distances
from fonoteka.bench.alignment.digits import DigitJoinParams, join, joined_digits
from fonoteka.bench.alignment.speed import Scored, lengthened, time_alignment
from fonoteka.bench.alignment.sphinx_times import (
    CLASSES,
    Phone,
    TimedWord,
    open_sphinx,
    phone_class,
    sphinx_words,
)
from fonoteka.core.files import read_json
from fonoteka.core.params import build
from fonoteka.phones import ENGLISH_ONLY, INVENTORY
from fonoteka.transcribe import PhoneModel

SECTION = {
    "model": "toy",
    "join": {"per_speaker": 1, "digits": 3, "pause_s": 0.3, "seed": 1},
    "speed": {
        "short_s": 4.0, "long_s": 8.0, "rounds": 1, "sla": {"max_rtf": 1e6, "max_memory_gib": 1e6},
    },
}  # fmt: skip
ARPABET = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH",
    "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH",
    "UW", "V", "W", "Y", "Z", "ZH",
]  # fmt: skip


def scored(words=("one", "two")):
    signal, log_probs = spoken(words, "en")
    levels = frame_levels(signal, len(log_probs))
    return Scored(log_probs, levels, written_words(" ".join(words), "en"))


def test_clips_are_joined_with_pauses_and_their_starts_are_known():
    clips = [("one", noise(0.5)), ("two", noise(0.25, 1))]
    joined = join(clips, 0.3, np.random.default_rng(1))
    assert joined.words == ("one", "two")
    assert joined.starts_s == (0.3, pytest.approx(1.1))
    assert len(joined.signal) == round((0.3 * 3 + 0.75) * 16_000)
    assert np.abs(joined.signal[:4_800]).max() < 1e-3 < np.abs(joined.signal[4_800:]).max()
    np.testing.assert_allclose(joined.signal[4_800:12_800], clips[0][1], atol=1e-3)


def test_digits_of_each_speaker_are_drawn_by_the_seed():
    folder = shared_corpus("fsdd")
    params = DigitJoinParams(1, 4, 0.2, 7)
    joined = joined_digits(folder, params)
    assert len(joined) == 6
    assert {len(recording.words) for recording in joined} == {4}
    again = joined_digits(folder, params)
    assert [r.words for r in again] == [r.words for r in joined]
    assert all((a.signal == b.signal).all() for a, b in zip(joined, again, strict=True))


def test_a_folder_without_digits_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no file is named as in the Free Spoken Digit Dataset"):
        joined_digits(tmp_path, DigitJoinParams(1, 4, 0.2, 7))


def test_every_english_phone_has_a_class_that_arpabet_has_too():
    classes = {phone_class(symbol) for symbol in ARPABET}
    assert {CLASSES[symbol] for symbol in ENGLISH_ONLY} <= classes
    assert set(CLASSES) <= set(INVENTORY)
    assert classes == set(CLASSES.values())


def test_distances_are_those_of_the_same_words_and_phones():
    theirs = [TimedWord("two", 0.50, (Phone("T", 0.50), Phone("UW", 0.60)))]
    ours = [TimedWord("two", 0.48, (Phone("t", 0.48), Phone("ə", 0.55), Phone("u", 0.63)))]
    words = {"aligner": ours, "plain_ctc": ours, "pocketsphinx": theirs}
    result = differences([words | {compare.CLIPS: [TimedWord("two", 0.49)]}])
    from_sphinx = result["from pocketsphinx"]["aligner"]
    assert from_sphinx["word_start"] == distances([(0.48, 0.50)])
    assert from_sphinx["phone_start"]["count"] == 2  # not the ə, which pocketsphinx lacks
    assert from_sphinx["phone_start"]["median_ms"] == 25.0
    assert from_sphinx["phone_start"]["signed_median_ms"] == 5.0
    assert set(result["from starts of the clips"]["pocketsphinx"]) == {"word_start"}


def test_pocketsphinx_places_the_digits_of_a_recording():
    pytest.importorskip("pocketsphinx", reason="the package pocketsphinx is not installed")
    (joined, *_) = joined_digits(shared_corpus("fsdd"), DigitJoinParams(1, 4, 0.3, 1))
    words = sphinx_words(open_sphinx(), " ".join(joined.words), joined.signal)
    assert tuple(word.text for word in words) == joined.words
    for word, start_s in zip(words, joined.starts_s, strict=True):
        assert word.start_s == pytest.approx(start_s, abs=0.15)
        assert word.phones[0].start_s == word.start_s


def test_without_pocketsphinx_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(ValueError, match="pip install pocketsphinx"):
        sphinx_times.open_sphinx()


def test_a_longer_recording_repeats_the_others():
    part = scored()
    whole = lengthened([part, part], 5 * len(part.log_probs) / 50)
    assert len(whole.log_probs) == len(whole.levels) == 5 * len(part.log_probs)
    assert len(whole.words) == 5 * len(part.words)


def test_each_method_has_a_time_per_round():
    times = time_alignment([scored()], 3.0, ("aligner", "plain_ctc"), 2)
    assert {name: len(values) for name, values in times.items()} == {
        "aligner": 2, "plain_ctc": 2, "seconds": 1,
    }  # fmt: skip
    assert times["seconds"][0] >= 3.0


def test_the_command_writes_a_report_and_names_a_missed_limit(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pocketsphinx", reason="the package pocketsphinx is not installed")
    source = shared_corpus("fsdd")
    for digit in range(3):
        shutil.copy(next(source.rglob(f"{digit}_theo_0.wav")), tmp_path)
    (tmp_path / "data/models/toy").mkdir(parents=True)
    (tmp_path / "data/models/toy/model.onnx").touch()
    section = SECTION | {"speed": SECTION["speed"] | {"sla": {"max_rtf": 0, "max_memory_gib": 99}}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"bench_alignment": section}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare, "open_phone_model", lambda path: PhoneModel("toy", None, []))
    monkeypatch.setattr(compare, "longest_input_s", lambda session: 60)

    def posteriors(_session, signal, _longest_s):
        rows = np.random.default_rng(1).standard_normal(
            (-(-len(signal) // 320), len(INVENTORY) + 1)
        )
        return (rows - np.logaddexp.reduce(rows, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr(compare, "posteriors", posteriors)
    # No computation takes 0 s, so the limit of 0 is missed on every machine.
    with pytest.raises(ValueError, match=r"1 missed: alignment\.rtf is [0-9.]+, above 0"):
        compare.bench_alignment(Path(), busy=True)
    report = read_json(Path("reports/bench/alignment.json"))
    assert (report["words"], report["recordings"], report["without_a_path"]) == (3, 1, 0)
    assert report["long_s"] >= 8.0
    assert report["sla"]["alignment.memory_gib"]["met"]
    printed = capsys.readouterr().out
    assert "from pocketsphinx" in printed
    assert "plain path of CTC" in printed


def test_params_of_the_section_are_those_of_the_dataclass():
    params = build(SECTION, AlignmentBenchParams, "bench_alignment")
    assert params.speed == speed.SpeedParams(4.0, 8.0, 1, speed.AlignmentLimits(1e6, 1e6))
