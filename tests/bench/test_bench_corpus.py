"""The benchmark of the corpus side degrades what it states, counts pairs and times commands."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from command_line import exit_code, run_fonoteka
from corpus_maker import make_corpus

from fonoteka.bench import corpus_speed, degradations, duplicates, text
from fonoteka.bench.corpus_speed import COMMANDS, compare, grow, write_params
from fonoteka.bench.degradations import KINDS, available_kinds
from fonoteka.bench.duplicates import SourceClip, count_pairs, source_clips, write_copies
from fonoteka.bench.synthetic_clips import speech_like, write_corpus
from fonoteka.bench.timer import CommandCost, time_command
from fonoteka.core.params import PARAMS

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def recordings(folder, count):
    """Return clips of one speaker, with a file each."""
    names = [f"{n}.wav" for n in range(count)]
    mine = make_corpus(folder, [f"{name},da,ana,hr" for name in names])
    return [SourceClip("mine", mine / name, "ana") for name in names]


def write_labelled(folder, count, seconds):
    """Write a folder of recordings with labels.tsv, one speaker each."""
    (folder / "audio").mkdir(parents=True)
    lines = ["path\tspeaker"]
    for n in range(count):
        soundfile.write(folder / "audio" / f"{n}.wav", speech_like(n, seconds, 8000), 8000)
        lines.append(f"audio/{n}.wav\tspeaker{n}")
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")


def test_a_clip_has_at_most_one_copy_and_kinds_alternate(tmp_path):
    kinds = write_copies(tmp_path / "raw", recordings(tmp_path, 40), 2)
    assert sorted(kinds.values()) == sorted(2 * available_kinds())
    assert len({path.split("/")[0] for path in kinds}) == 2 * len(available_kinds())


def test_without_ffmpeg_opus_and_aac_are_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(degradations.shutil, "which", lambda _: None)
    kinds = write_copies(tmp_path / "raw", recordings(tmp_path, 20), 1)
    left_out = set(KINDS) - set(kinds.values())
    assert left_out == {kind for kind in KINDS if "opus" in kind or "aac" in kind}
    report = {"voices": "held out", "speech": {}, "left_out": sorted(left_out)}
    assert "without ffmpeg: aac 32 kbit/s, equalised, aac" in duplicates.page(report)


def test_a_labelled_folder_is_real_speech_whose_speakers_are_held_out_or_tuned_on(tmp_path):
    write_labelled(tmp_path / "real", 20, 1.0)
    spoken = make_corpus(tmp_path, ["a.wav,da,ana,hr"], name="spoken", synthetic=True)
    assert duplicates.speech_type(tmp_path / "real") == "real"
    assert duplicates.speech_type(spoken) == "synthetic"
    held, tuned = (
        {clip.speaker for clip in source_clips([tmp_path / "real"], tuning)}
        for tuning in (False, True)
    )
    assert held
    assert tuned
    assert len(held) + len(tuned) == len(held | tuned) == 20


def test_a_long_recording_is_divided_into_pieces_end_to_end(tmp_path):
    write_labelled(tmp_path / "real", 6, 14.0)
    clips = [c for tuning in (False, True) for c in source_clips([tmp_path / "real"], tuning)]
    for path in {clip.path for clip in clips}:
        pieces = sorted((clip.begin_s, clip.end_s) for clip in clips if clip.path == path)
        assert [begin for begin, _ in pieces] == [0.0, *[end for _, end in pieces[:-1]]]
        assert all(0.8 <= round(end - begin, 3) <= 6.0 for begin, end in pieces)
        assert 8.0 < pieces[-1][1] <= 14.0
    samples, rate = soundfile.read(clips[0].path)
    first, last = (round(s * rate) for s in (clips[0].begin_s, clips[0].end_s))
    assert np.array_equal(clips[0].read()[0], samples[first:last])


def test_without_a_held_out_speaker_there_is_no_figure(tmp_path):
    with pytest.raises(ValueError, match=r"no clip of 0\.3 to 10 s by a held-out speaker"):
        source_clips([make_corpus(tmp_path, [])], False)


@needs_ffmpeg
def test_copies_of_real_and_of_synthetic_speech_are_found_apart(tmp_path):
    write_labelled(tmp_path / "real", 8, 1.5)
    spoken = make_corpus(tmp_path, [], name="spoken", synthetic=True)
    for n in range(4):
        soundfile.write(spoken / f"{n}.wav", speech_like(100 + n, 1.5, 8000), 8000)
    rows = [f"{n}.wav,da,voice{n},hr" for n in range(4)]
    (spoken / "metadata.csv").write_text("\n".join(["path,text,speaker,language", *rows]) + "\n")
    report = duplicates.run(PARAMS, [tmp_path / "real", spoken], 1, False)
    assert list(report["speech"]) == ["real", "synthetic"]
    rates = report["speech"]["real"]["kinds"]["all"]
    assert rates["made"] == rates["found"] == report["speech"]["real"]["originals"] > 0
    assert rates["false"] == 0
    assert report["left_out"] == []
    assert report["sla"]["duplicates.real.recall"]["met"]
    assert report["sla"]["duplicates.synthetic.precision"]["limit"] == 0.99
    assert "real: all" in duplicates.page(report)


def test_a_false_pair_counts_against_its_kinds():
    kinds = {"1/copy.ogg": "ogg", "2/copy.mp3": "mp3"}
    groups = [("a", "1/original.wav"), ("a", "1/copy.ogg"), ("a", "3/original.wav")]
    pairs = count_pairs([*groups, ("b", "4/original.wav"), ("b", "5/original.wav")], kinds)
    assert pairs["ogg"] == {"made": 1, "found": 1, "false": 1, "recall": 1.0, "precision": 0.5}
    assert pairs["mp3"]["recall"] == 0.0
    assert pairs["takes"]["false"] == 2
    assert (pairs["all"]["found"], pairs["all"]["false"]) == (1, 3)


def test_time_that_grows_with_the_clips_has_exponent_one():
    linear = {n: {"inventory": CommandCost(n, 50), "dedupe": CommandCost(n, 50)} for n in (9, 99)}
    assert (grow(linear)["exponent"], grow(linear)["kib_per_clip"]) == (1.0, 0.0)
    squared = {n: {"inventory": CommandCost(n * n, 50)} for n in (10, 100, 1000)}
    assert grow(squared)["exponent"] == 2.0


def test_the_ratio_is_of_medians_over_rounds():
    turns = [
        {"decode": CommandCost(s, 1), "inventory": CommandCost(2, 1), "dedupe": CommandCost(s, 1)}
        for s in (2, 9, 1)
    ]
    ratio = compare(turns)
    assert (ratio["decode_s"], ratio["inventory_s"], ratio["rounds"]) == (2, 2, 3)
    assert (ratio["of_decoding"], ratio["inventory_of_decoding"]) == (0.5, 1.0)
    growth = grow(
        {n: {"inventory": CommandCost(n, 5), "dedupe": CommandCost(n, 5)} for n in (1, 2)}
    )
    report = {"ratio": ratio | {"clips": 1, "clip_s": 1}, "growth": growth}
    assert "exponent 1.0" in corpus_speed.page(report)


def test_a_command_that_fails_is_reported_with_its_output(tmp_path):
    with pytest.raises(ValueError, match=r"decode_baseline failed: usage: .*\n.* required: folder"):
        time_command(COMMANDS["decode"][:1], tmp_path)


def test_a_command_is_timed_with_its_memory(tmp_path):
    write_corpus(tmp_path / "raw", 3, 0.3, 8000, 1)
    cost = time_command(COMMANDS["decode"], tmp_path)
    assert cost.seconds > 0
    # Linux counts what the parent had when the child was made: here that is pytest.
    parent_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 10 < cost.peak_mib < parent_mib + 500


def test_the_stages_get_the_params_of_the_repository_with_other_corpora(tmp_path):
    (tmp_path / "p.yaml").write_text("inventory: {corpora: [a], min_s: 1}\ndedupe: {near: group}")
    write_params(tmp_path, tmp_path / "p.yaml", ["made"], near="report")
    assert "corpora:\n  - made\n  min_s: 1" in (tmp_path / "params.yaml").read_text()
    assert "near: report" in (tmp_path / "params.yaml").read_text()
    (tmp_path / "p.yaml").write_text("inventory: {}")
    with pytest.raises(ValueError, match="section 'dedupe' is missing"):
        write_params(tmp_path, tmp_path / "p.yaml", ["made"])


def test_a_missed_limit_is_named_and_the_report_is_written_anyway(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(text, "SECONDS", 0.02)
    monkeypatch.setattr(text, "LIMIT", 1e12)
    Path("reports/bench").mkdir(parents=True)
    Path("reports/bench/corpus.json").write_text('{"speed": {"clips": 1}}')
    with pytest.raises(
        ValueError, match=r"1 missed: text\.characters_a_second is .* below 1000000"
    ):
        run_fonoteka("bench", "corpus", "text", "--busy")
    reports = json.loads(Path("reports/bench/corpus.json").read_text())
    assert reports["speed"] == {"clips": 1}
    assert sorted(reports["text"]["by_language"]) == ["bs", "en", "hr", "sr"]
    assert reports["text"]["characters_a_second"] > 0
    assert reports["text"]["sla"]["text.characters_a_second"]["met"] is False
    assert "cores" in reports["text"]["machine"]
    assert "characters per second on one core" in capsys.readouterr().out


def test_an_unknown_part_is_refused(capsys):
    assert exit_code("bench", "corpus", "sped") == 2
    assert "'sped' is not one of" in capsys.readouterr().err
