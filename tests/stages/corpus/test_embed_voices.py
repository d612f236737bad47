"""A few seconds of every speaker become vectors; who has none is counted with the reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clip_maker import noise, save_clips
from corpus_maker import shared_corpus

from fonoteka import manifest
from fonoteka.audio.dsp import levelled, to_mono_16k
from fonoteka.audiocheck.decode import read_sound
from fonoteka.tables import read_table
from fonoteka.voices import piece_signals as signals
from fonoteka.voices.compare_voices import AuditVoicesParams
from fonoteka.voices.encoder_wheel import EncoderPackageParams
from fonoteka.voices.pieces import SILENT, TOO_SHORT, EmbedVoicesParams
from fonoteka.voices.store import read_voices
from stages.corpus.audit.voices import check_voices
from stages.corpus.embed_voices import PARTS, run
from stages.corpus.speaker_encoder import SpeakerEncoderParams
from stages.corpus.speaker_encoder import run as write_encoder

pytestmark = pytest.mark.torch
PARAMS = EmbedVoicesParams(piece_s=2.4, pieces=4)
TRAINED = Path(__file__).parents[3] / "data" / "models" / "voices"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with untrained weights."""
    folder = tmp_path_factory.mktemp("encoder") / "voices"
    package = EncoderPackageParams("0", "", "", "")
    write_encoder(folder, SpeakerEncoderParams("untrained", package, ""))
    return folder


def laid(folder, clips):
    """Write clips as splits and shards; `clips` has `(part, speaker, samples)` by id."""
    rows = save_clips(folder / "audio", {id_: clip[2] for id_, clip in clips.items()})
    parts = {part: [] for part in PARTS}
    for row in rows:
        part, speaker, _ = clips[row.id]
        parts[part].append(replace(row, speaker=speaker))
    for part, own in parts.items():
        manifest.write(folder / f"{part}.jsonl", own)
    return parts


def embedded(folder, model, params=PARAMS):
    paths = {part: folder / f"{part}.jsonl" for part in PARTS}
    run(model, paths, folder / "audio", folder / "voices", params, threads=1)
    return read_voices(folder / "voices")


def corpus():
    """Return clips of four speakers: long ones, short ones, too short ones and silence."""
    clips = {f"long{n}": ("train", "c/long", noise(2.5, n)) for n in range(6)}
    clips |= {f"short{n}": ("valid", "c/short", noise(0.5, n + 10)) for n in range(5)}
    clips["tiny"] = ("test", "c/tiny", noise(1.9, 20))
    clips["still"] = ("test", "c/still", np.zeros(40_000, np.float32))
    return clips


def test_pieces_are_of_the_speakers_and_the_rest_has_reasons(model, tmp_path):
    laid(tmp_path, corpus())
    voices = embedded(tmp_path, model)
    assert Counter(row["speaker"] for row in voices.rows) == {"c/long": 4, "c/short": 1}
    reasons = {row["speaker"]: row["reason"] for row in voices.left_out}
    assert reasons == {"c/tiny": TOO_SHORT, "c/still": SILENT}
    (joined,) = (row for row in voices.rows if row["speaker"] == "c/short")
    assert set(joined["clips"].split()) == {f"short{n}" for n in range(5)}
    lengths = np.linalg.norm(voices.vectors.astype(float), axis=1)
    assert lengths == pytest.approx(np.full(5, 2048), abs=8)  # 256 roundings by up to 0.5


def test_reading_in_blocks_changes_nothing(model, tmp_path, monkeypatch):
    laid(tmp_path, corpus())
    whole = embedded(tmp_path, model)
    monkeypatch.setattr(signals, "PIECES_PER_READ", 2)
    blocks = embedded(tmp_path, model)
    assert np.array_equal(whole.vectors, blocks.vectors)
    assert whole.rows == blocks.rows


def test_a_corpus_of_short_clips_alone_has_no_voice_and_is_not_an_error(model, tmp_path):
    laid(tmp_path, {"a": ("train", "c/a", noise(1.0)), "b": ("test", "c/b", noise(1.0))})
    voices = embedded(tmp_path, model)
    assert voices.vectors.shape == (0, 256)
    assert [row["reason"] for row in voices.left_out] == [TOO_SHORT] * 2


def test_missing_weights_are_one_sentence(tmp_path):
    laid(tmp_path, {"a": ("train", "c/a", noise(3.0))})
    with pytest.raises(ValueError, match=r"no such file; run dvc repro speaker_encoder$"):
        embedded(tmp_path, tmp_path / "nothing")


def test_a_recording_in_two_halves_under_two_names_is_found(model, tmp_path):
    """With weights that were never trained, the same samples still give the same vector."""
    signal = noise(2.4, 1)
    parts = laid(tmp_path, {"a": ("train", "c/a", signal), "b": ("test", "c/b", signal)})
    params = AuditVoicesParams("report", same_voice=0.999, two_voices=0.5, listed=9)
    names = {"c/a": "c/speaker 001", "c/b": "c/speaker 002"}
    report, _ = check_voices(embedded(tmp_path, model), parts, params, names)
    assert report["alike"]["pairs"] == 1


def test_real_people_under_two_names_and_two_under_one_are_found(tmp_path):
    librispeech = shared_corpus("librispeech251")
    if not (TRAINED / "model.safetensors").is_file():
        pytest.skip("no trained weights in data/models/voices: run dvc repro speaker_encoder")
    rows = read_table(librispeech / "labels.tsv", ("path", "speaker", "duration"), "\t")
    people = [row for row in rows if float(row["duration"]) >= 15.5][:12]
    clips = {}
    for number, row in enumerate(people):
        signal = levelled(to_mono_16k(*read_sound(librispeech / row["path"])), -23.0)
        first, second = signal[: len(signal) // 2], signal[len(signal) // 2 :]
        if number < 4:  # one person under two names, in train and in test
            clips[f"{number}a"] = ("train", f"c/train{number}", first)
            clips[f"{number}b"] = ("test", f"c/test{number}", second)
        elif number < 8:  # two people under one name, in valid
            clips[f"{number}a"] = ("valid", f"c/both{number // 2}", first)
        else:  # names that fit
            clips[f"{number}a"] = (PARTS[number % 3], f"c/one{number}", signal)
    parts = laid(tmp_path, clips)
    voices = embedded(tmp_path, TRAINED)
    names = {row["speaker"]: row["speaker"] for row in voices.rows}
    params = AuditVoicesParams("report", same_voice=0.84, two_voices=0.6, listed=50)
    report, _ = check_voices(voices, parts, params, names)
    pairs = {tuple(pair["names"]) for pair in report["alike"]["listed"]}
    assert pairs == {(f"c/train{n}", f"c/test{n}") for n in range(4)}
    # One in four mixtures is missed and 2 % of names are flagged, see reports/bench/voices.json.
    flagged = {name["name"] for name in report["divided"]["listed"]}
    assert "c/both2" in flagged or "c/both3" in flagged
