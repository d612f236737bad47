"""Words that are cut at the right times are recognised; cuts at other times are not."""

from __future__ import annotations

import itertools
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from clip_maker import save_clips
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.phones import LABELS, NUMBER
from fonoteka.shards import write_arrays
from stages.alignment import check_alignment as module
from stages.alignment.check_alignment import CheckAlignmentParams, checked, read_words
from stages.alignment.cut_words import MARGIN_S, CutWord, cut, cut_words, drawn_words

PARAMS = CheckAlignmentParams(words_per_speaker=5, seed=1, resamples=50, digits=4)
FRAME, FRAMES, PAUSE = 320, 4, 10  # samples of a frame; frames of a phone and of a pause
STEP = 0.01  # the sample value of a phone is its number times this


def spoken(words, lead=PAUSE):
    """Return samples with a level per phone, posteriors that are sure of them, and exact times."""
    labels = [0] * lead
    times = []
    for word in words:
        for phone in word:
            times.append((len(labels) / 50, (len(labels) + FRAMES) / 50))
            labels += [NUMBER[phone]] * FRAMES
        labels += [0] * PAUSE
    rows = np.full((len(labels), len(LABELS)), 1e-3)
    rows[np.arange(len(labels)), labels] = 0.9
    signal = np.repeat(np.array(labels, dtype=np.float32) * STEP, FRAME)
    return signal, np.log(rows / rows.sum(axis=1, keepdims=True)).astype(np.float32), tuple(times)


def by_level(signal):
    """Return the phones whose levels a cut has for at least two frames."""
    numbers = np.rint(signal / STEP).astype(int)
    edges = np.flatnonzero(np.diff(numbers, prepend=-1, append=-1))
    runs = [(numbers[a], b - a) for a, b in itertools.pairwise(edges)]
    return [LABELS[number] for number, length in runs if number and length >= 2 * FRAME]


def clip(words, key="u", speaker="m/a", has_times=True, lead=PAUSE, **more):
    """Return a clip, its samples and its posteriors."""
    signal, log_probs, times = spoken(words, lead)
    text = " ".join(words)
    u = utterance(
        speaker, id=key, text=text, normalized=text, phones=tuple("".join(words)), language="sr",
        duration_s=len(signal) / 16_000, phone_times_s=times if has_times else None, **more,
    )  # fmt: skip
    return u, signal, log_probs


def words_of(*clips, per_speaker=9):
    """Return all words of clips, cut."""
    by_id = {u.id: (signal, log_probs) for u, signal, log_probs in clips}
    return [
        word
        for u, spans in drawn_words([u for u, _, _ in clips], per_speaker, seed=1)
        for word in cut_words(u, spans, by_id[u.id][1], by_id[u.id][0])
    ]


def report_of(words, recognise=by_level, name="other"):
    return checked(words, 0, "placer", {name: recognise}, PARAMS)["recognisers"][name]


def test_words_at_their_times_have_no_error():
    report = report_of(words_of(clip(["dobar", "dan"]), clip(["ima", "psa"], "v", "m/b")))
    for method in ("aligner", "exact"):
        assert (report[method]["per"], report[method]["words"]) == (0.0, 4)
    assert report["aligner"]["sources"] == {"m": 0.0}


def test_words_at_other_times_have_errors():
    u, signal, log_probs = clip(["dobar", "dan"])
    late = replace(u, phone_times_s=tuple((a + 0.1, b + 0.1) for a, b in u.phone_times_s))
    report = report_of(words_of((late, signal, log_probs)))
    # 0.1 s are 5 frames: the first phone of each word is lost, and no other phone follows.
    assert report["exact"]["per"] == pytest.approx(2 / 8)
    assert report["aligner"]["per"] == 0.0


def test_cuts_that_are_late_on_purpose_have_errors():
    report = report_of(words_of(clip(["dobar", "dan"])))
    # 50 ms of a first phone of 80 ms are lost; no phone follows a word within 50 ms.
    assert report["aligner_50_ms_late"]["per"] == pytest.approx(2 / 8)


def test_the_difference_is_that_of_the_rates_and_has_an_interval_over_speakers():
    words = words_of(clip(["dobar", "dan"]), clip(["ima", "psa"], "v", "m/b"))
    worse = [replace(word, cuts=word.cuts | {"plain_ctc": np.zeros(1_600)}) for word in words]
    difference = report_of(worse)["aligner_minus_plain_ctc"]
    assert (difference["difference"], difference["low"], difference["high"]) == (-1.0, -1.0, -1.0)
    assert difference["share_of_draws_better"] == 1.0
    assert report_of(words[:1])["aligner_minus_plain_ctc"]["low"] is None  # one speaker


def test_clips_without_known_times_have_no_exact_cut():
    some = words_of(clip(["dobar", "dan"]), clip(["ima"], "v", "n/b", has_times=False))
    report = report_of(some)
    assert report["aligner"]["words"] == 3
    assert report["exact"]["words"] == 2
    assert set(report["exact"]["sources"]) == {"m"}
    assert report_of(words_of(clip(["ima"], has_times=False)))["exact"] is None


def test_a_cut_has_the_samples_between_two_times_and_silence_around():
    signal = np.arange(16_000, dtype=np.float32)
    piece = cut(signal, 0.5, 0.6)
    margin = round(MARGIN_S * 16_000)
    assert len(piece) == 1_600 + 2 * margin
    assert piece[margin : margin + 1_600].tolist() == signal[8_000:9_600].tolist()
    assert not piece[:margin].any()
    assert not piece[-margin:].any()


def test_the_draw_of_a_speaker_does_not_depend_on_other_clips():
    clips = [clip(["dobar", "dan", "ima"], f"u{n}", f"m/{n % 2}")[0] for n in range(6)]
    drawn = {u.id: spans for u, spans in drawn_words(clips, 4, seed=1)}
    assert sum(map(len, drawn.values())) == 2 * 4
    alone = drawn_words([u for u in clips if u.speaker == "m/0"], 4, seed=1)
    assert {u.id: spans for u, spans in alone} == {
        key: spans for key, spans in drawn.items() if key in ("u0", "u2", "u4")
    }
    assert drawn_words(clips, 4, seed=2) != drawn_words(clips, 4, seed=1)


def test_words_of_a_clip_with_too_few_frames_are_counted(tmp_path):
    clips = [clip(["dobar", "dan"]), clip(["ima"], "v")]
    places = {u.id: u.audio for u in save_clips(tmp_path / "audio", {u.id: s for u, s, _ in clips})}
    arrays = {"u": clips[0][2], "v": clips[1][2][:2]}
    write_arrays(tmp_path, arrays, 1)
    utterances = [replace(u, audio=places[u.id]) for u, _, _ in clips]
    words, left_out = read_words(utterances, tmp_path, tmp_path / "audio", PARAMS)
    assert (len(words), left_out) == (2, 1)
    assert all(isinstance(word, CutWord) for word in words)


def test_the_command_writes_the_same_report_and_page_each_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clips = [clip(["dobar", "dan"]), clip(["ima", "psa"], "v", "m/b")]
    places = {u.id: u.audio for u in save_clips(tmp_path / "audio", {u.id: s for u, s, _ in clips})}
    (tmp_path / "placer").mkdir()
    write_arrays(tmp_path / "placer", {u.id: log_probs for u, _, log_probs in clips}, 1)
    manifest.write(tmp_path / "test.jsonl", [replace(u, audio=places[u.id]) for u, _, _ in clips])
    sections = {"check_alignment": asdict(PARAMS), "compute": {"threads": 1, "device": "cpu"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.setattr(module, "recogniser", lambda path: by_level)
    for name in ("1", "2"):
        line = (
            f"check_alignment test.jsonl audio {name}.json --placed-by placer "
            "--recognisers other/model.onnx placer/model.onnx"
        )
        monkeypatch.setattr(sys, "argv", line.split())
        module.main()
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    report = read_json(tmp_path / "1.json")
    assert (report["words"], report["clips"], report["speakers"]) == (4, 2, 2)
    assert set(report["recognisers"]) == {"other", "placer"}
    page = (tmp_path / "1.md").read_text(encoding="utf-8")
    assert "| placer, which placed them | m " in page
    assert "real speech" in page


def test_a_test_part_without_a_word_is_one_sentence(tmp_path):
    manifest.write(tmp_path / "test.jsonl", [])
    write_arrays(tmp_path, {}, 1)
    with pytest.raises(ValueError, match=r"test\.jsonl: no word to cut; 0 were left out"):
        module.run(tmp_path / "test.jsonl", tmp_path, tmp_path, [], tmp_path / "r.json", PARAMS)
