"""The bench makes copies as it says, counts them rightly and says what misses."""

from __future__ import annotations

import json
import resource
import shutil

import numpy as np
import pytest
import soundfile
from corpus_maker import make_corpus

from fonoteka.bench import corpus as bench_corpus
from fonoteka.bench import corpus_commands, corpus_speed
from fonoteka.bench import duplicates as bench_duplicates
from fonoteka.bench import text as bench_text
from fonoteka.bench.corpus_commands import Taken, timed, write_params
from fonoteka.bench.corpus_speed import grown
from fonoteka.bench.degradations import (
    KINDS,
    LEFT_S,
    SHIFT_S,
    Changed,
    changed,
    peak,
    possible,
    shelf,
    write,
)
from fonoteka.bench.duplicates import Source, counted, sources, write_copies
from fonoteka.bench.synthetic_clips import speech_like, write_corpus
from fonoteka.core.params import PARAMS

RATE = 16000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def made(kind: str, seconds: float, seed: int = 1):
    clip = speech_like(seed, seconds, RATE).astype(float)
    return clip, changed(kind, clip, RATE, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", ["cut", "trimmed"])
@pytest.mark.parametrize("seconds", [0.3, 0.35, 0.6, 2.0])
def test_what_is_cut_is_half_a_second_at_most_and_leaves_enough(kind, seconds):
    for seed in range(5):
        clip, copy = made(kind, seconds, seed)
        assert LEFT_S * RATE - 1 <= len(copy.samples) <= len(clip)
        assert len(clip) - len(copy.samples) <= SHIFT_S * RATE


def test_noise_is_20_db_below():
    clip, copy = made("noise 20 dB below", 2.0)
    noise = copy.samples - clip
    assert 10 * np.log10(np.mean(clip**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.2)


def test_mp3_is_kept_at_about_64_kbit_a_second(tmp_path):
    corpus = make_corpus(tmp_path, ["a.wav,da,ana,hr"])
    soundfile.write(corpus / "a.wav", speech_like(1, 8.0, 22050), 22050)
    copies = write_copies(tmp_path / "raw", [Source("mine", corpus / "a.wav", "ana")], 1)
    assert list(copies.values()) == ["mine: mp3 64 kbit/s"]
    size = (tmp_path / "raw" / "copies" / next(iter(copies))).stat().st_size
    assert 8 * size / 8.0 == pytest.approx(60_000, rel=0.1)


def test_a_clip_has_one_copy_at_most_and_kinds_come_in_turn(tmp_path):
    names = [f"{n}.wav" for n in range(40)]
    corpus = make_corpus(tmp_path, [f"{name},da,ana,hr" for name in names])
    found = [Source("mine", corpus / name, "ana") for name in names]
    kinds = write_copies(tmp_path / "raw", found, 2)
    assert sorted(kinds.values()) == sorted(f"mine: {k}" for k in possible() for _ in range(2))
    assert len({path.split("/")[0] for path in kinds}) == 2 * len(possible())


def test_without_ffmpeg_opus_and_aac_are_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr("fonoteka.bench.degradations.shutil.which", lambda _: None)
    corpus = make_corpus(tmp_path, [f"{n}.wav,da,ana,hr" for n in range(20)])
    found = [Source("mine", corpus / f"{n}.wav", "ana") for n in range(20)]
    kinds = write_copies(tmp_path / "raw", found, 1)
    left = {"aac 32 kbit/s", "opus 16 kbit/s", "opus 24 kbit/s", "opus 32 kbit/s"}
    left |= {f"equalised, {kind}" for kind in left - {"opus 32 kbit/s"}}
    assert {kind.partition(": ")[2] for kind in kinds.values()} == set(KINDS) - left
    report = {"voices": "held out", "speech": {}, "left_out": sorted(left)}
    assert "ffmpeg is missing: aac 32 kbit/s, equalised, aac" in bench_duplicates.page(report)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["opus 16 kbit/s", "opus 24 kbit/s", "opus 32 kbit/s", "aac 32"])
def test_a_codec_keeps_about_its_bit_rate(kind, tmp_path):
    kind = next(name for name in KINDS if name.startswith(kind))
    clip = speech_like(1, 10.0, RATE).astype(float)
    copy = write(changed(kind, clip, RATE, np.random.default_rng(1)), tmp_path / "copy")
    expected = 1000 * int(kind.split()[1])
    assert 8 * copy.stat().st_size / 10.0 == pytest.approx(expected, rel=0.35)  # the rate varies


def test_what_ffmpeg_says_is_in_the_message(tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    copy = Changed(np.zeros(RATE), RATE, ".opus", ("-c:a", "no_such_codec"))
    with pytest.raises(ValueError, match=r"copy.opus: ffmpeg failed: .*no_such_codec"):
        write(copy, tmp_path / "copy")


def gain_db(section, frequency):
    """The gain of a filter's section at a frequency of the sample rate."""
    z = np.exp(-2j * np.pi * frequency * np.arange(3))
    return 20 * np.log10(np.abs(np.dot(section[:3], z) / np.dot(section[3:], z)))


@pytest.mark.parametrize("wanted_db", [-6.0, -4.0, -2.0, 0.0, 3.0, 4.0])
def test_an_equalisers_filters_have_the_gain_that_is_asked(wanted_db):
    assert gain_db(peak(0.1, wanted_db), 0.1) == pytest.approx(wanted_db)
    assert gain_db(peak(0.1, wanted_db), 0.0) == pytest.approx(0.0)
    assert gain_db(shelf(0.1, wanted_db), 0.0) == pytest.approx(wanted_db)
    assert gain_db(shelf(0.1, wanted_db), 0.1) == pytest.approx(wanted_db / 2)  # at its corner
    assert gain_db(shelf(0.1, wanted_db), 0.5) == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(6))
def test_an_equaliser_turns_the_spectrum_by_no_more_than_its_filters_together(seed):
    clip, copy = made("equalised", 4.0, seed)
    there = np.fft.rfft(copy.samples) / np.fft.rfft(clip)
    gains = 20 * np.log10(np.abs(there[400:28000]))  # 100 Hz to 7 kHz
    assert np.ptp(np.convolve(gains, np.ones(200) / 200, "valid")) < 8 + 4 + 1
    assert np.ptp(np.convolve(gains, np.ones(200) / 200, "valid")) > 2


def test_a_labelled_folder_is_real_speech_and_needs_no_texts(tmp_path):
    write_labelled(tmp_path / "real", {f"{n}.wav": 1.0 for n in range(20)})
    made_up = make_corpus(tmp_path, ["a.wav,da,ana,hr"], name="spoken", synthetic=True)
    assert bench_duplicates.speech_of(tmp_path / "real") == "real"
    assert bench_duplicates.speech_of(made_up) == "synthetic"
    held, tuned = (sources([tmp_path / "real"], tuning) for tuning in (False, True))
    assert len(held) + len(tuned) == 20
    assert not {s.voice for s in held} & {s.voice for s in tuned}


def test_of_a_long_recording_pieces_are_taken_end_to_end(tmp_path):
    write_labelled(tmp_path / "real", {f"{n}.wav": 14.0 for n in range(6)})
    found = [*sources([tmp_path / "real"], False), *sources([tmp_path / "real"], True)]
    for path in {s.path for s in found}:
        pieces = sorted((s.begin_s, s.end_s) for s in found if s.path == path)
        assert [begin for begin, _ in pieces] == [0.0, *[end for _, end in pieces[:-1]]]
        assert all(0.8 <= round(end - begin, 3) <= 6.0 for begin, end in pieces)
        assert 8.0 < pieces[-1][1] <= 14.0
    clip, rate = soundfile.read(found[0].path)
    first, last = (round(s * rate) for s in (found[0].begin_s, found[0].end_s))
    assert np.array_equal(found[0].read()[0], clip[first:last])


def write_labelled(folder, lengths_s):
    (folder / "audio").mkdir(parents=True)
    lines = ["path\tspeaker"]
    for number, (name, seconds) in enumerate(lengths_s.items()):
        soundfile.write(folder / "audio" / name, speech_like(number, seconds, 8000), 8000)
        lines.append(f"audio/{name}\tvoice{number}")
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n")


@needs_ffmpeg
def test_the_bench_finds_copies_of_real_and_of_synthetic_speech_apart(tmp_path):
    write_labelled(tmp_path / "real", {f"{n}.wav": 1.5 for n in range(8)})
    (tmp_path / "raw").mkdir()
    spoken = make_corpus(tmp_path / "raw", [], name="spoken", synthetic=True)
    for n in range(4):
        soundfile.write(spoken / f"{n}.wav", speech_like(100 + n, 1.5, 8000), 8000)
    rows = [f"{n}.wav,da,voice{n},hr" for n in range(4)]
    (spoken / "metadata.csv").write_text("\n".join(["path,text,speaker,language", *rows]) + "\n")
    found = bench_duplicates.run(PARAMS, [tmp_path / "real", spoken], 1, False)
    assert list(found["speech"]) == ["real", "synthetic"]
    every = found["speech"]["real"]["kinds"]["all"]
    assert every["made"] == every["found"] == found["speech"]["real"]["originals"] > 0
    assert every["false"] == 0
    assert found["left_out"] == []
    assert found["sla"]["duplicates.real.recall"]["met"]
    assert found["sla"]["duplicates.synthetic.precision"]["limit"] == 0.99
    assert bench_duplicates.page(found).splitlines()[-1].split()[0] == "all"


def test_a_voice_is_held_out_or_tuned_on_and_never_both(tmp_path):
    rows = [f"{n}.wav,da,voice{n},hr" for n in range(20)]
    corpus = make_corpus(tmp_path, rows)
    held, tuned = ({s.voice for s in sources([corpus], tuning)} for tuning in (False, True))
    assert held
    assert tuned
    assert len(held) + len(tuned) == 20


def test_without_a_held_out_voice_there_is_no_figure(tmp_path):
    corpus = make_corpus(tmp_path, [])
    with pytest.raises(ValueError, match=r"no clip of 0\.3 to 10 s by a voice that is held out"):
        sources([corpus], False)


def test_a_false_pair_counts_against_its_kinds():
    kinds = {"1/copy.ogg": "ogg", "2/copy.mp3": "mp3"}
    groups = [("a", "1/original.wav"), ("a", "1/copy.ogg"), ("a", "3/original.wav")]
    found = counted([*groups, ("b", "4/original.wav"), ("b", "5/original.wav")], kinds)
    assert found["ogg"] == {"made": 1, "found": 1, "false": 1, "recall": 1.0, "precision": 0.5}
    assert found["mp3"]["recall"] == 0.0
    assert found["takes"]["false"] == 2
    assert (found["all"]["found"], found["all"]["false"]) == (1, 3)


def test_time_that_grows_as_the_clips_has_exponent_one():
    rows = [(n, Taken(n, n, 50), Taken(n, n, 50)) for n in (10, 100, 1000)]
    assert grown(rows)["exponent"] == 1.0
    assert grown(rows)["kib_per_clip"] == 0.0
    squared = [(n, Taken(n * n, 0, 50), Taken(0, 0, 50)) for n in (10, 100, 1000)]
    assert grown(squared)["exponent"] == 2.0


def test_no_two_generated_clips_are_equal_and_each_is_always_the_same():
    clips = [speech_like(seed, 0.5, 8000) for seed in (1, 2, 1)]
    assert np.array_equal(clips[0], clips[2])
    assert np.abs(np.corrcoef(clips[0], clips[1])[0, 1]) < 0.5


def test_a_command_that_fails_says_what_it_said(tmp_path):
    with pytest.raises(ValueError, match=r"decode_baseline failed: usage: .*\n.* required: folder"):
        timed(("fonoteka.bench.decode_baseline",), tmp_path)


def test_a_command_is_timed_with_its_memory(tmp_path):
    write_corpus(tmp_path / "raw", 3, 0.3, 8000, 1)
    taken = timed(corpus_commands.DECODE, tmp_path)
    assert taken.cpu_s > 0
    assert taken.seconds > 0
    # Linux counts what the parent had when the child was made: here that is pytest.
    parent_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 10 < taken.peak_mib < parent_mib + 500


def test_the_stages_get_the_repositorys_params_with_other_corpora(tmp_path):
    (tmp_path / "p.yaml").write_text("inventory: {corpora: [a], min_s: 1}\ndedupe: {near: group}")
    write_params(tmp_path, tmp_path / "p.yaml", ["made"], near="report")
    assert "corpora:\n  - made\n  min_s: 1" in (tmp_path / "params.yaml").read_text()
    assert "near: report" in (tmp_path / "params.yaml").read_text()
    (tmp_path / "p.yaml").write_text("inventory: {}")
    with pytest.raises(ValueError, match="section 'dedupe' is missing"):
        write_params(tmp_path, tmp_path / "p.yaml", ["made"])


def test_text_is_timed_by_language(monkeypatch):
    monkeypatch.setattr(bench_text, "SECONDS", 0.02)
    found = bench_text.run()
    assert sorted(found["by_language"]) == ["bs", "en", "hr", "sr"]
    assert found["characters_a_second"] > 0
    assert "characters a second on one core" in bench_text.page(found)


def test_a_missed_figure_is_said_and_the_report_is_written_anyway(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_text, "SECONDS", 0.02)
    monkeypatch.setattr(bench_text, "LIMIT", 1e12)
    report = tmp_path / "bench" / "corpus.json"
    report.parent.mkdir()
    report.write_text('{"speed": {"kept": 1}}')
    monkeypatch.setattr("sys.argv", ["bench", "text", "--report", str(report)])
    with pytest.raises(
        ValueError, match=r"1 missed: text.characters_a_second is .* below 1000000000000.0"
    ):
        bench_corpus.main()
    written = json.loads(report.read_text())
    assert written["speed"] == {"kept": 1}
    assert written["text"]["sla"]["text.characters_a_second"]["met"] is False
    assert "cores" in written["text"]["machine"]
    assert "normalization" in capsys.readouterr().out


def test_an_unknown_part_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench", "sped"])
    with pytest.raises(SystemExit, match="2"):
        bench_corpus.main()
    assert "'sped' is none of" in capsys.readouterr().err


def test_pages_show_every_kind_and_size():
    kinds = counted([], {"1/copy.ogg": "mine: ogg", "2/copy.ogg": "other: ogg"})
    one = {"originals": 3, "speakers": 2, "kinds": kinds}
    speech = {"real": one, "synthetic": one | {"originals": 4}}
    page = bench_duplicates.page({"voices": "held out", "speech": speech, "left_out": []})
    assert "real: 3 recordings of 2 voices; synthetic: 4 recordings" in page
    both = ["2", "0", "0", "0.0", "1.0"]
    assert [line.split() for line in page.splitlines() if line.startswith("ogg")] == [
        ["ogg", *both, *both]
    ]
    growth = grown([(10, Taken(1, 1, 5), Taken(1, 1, 5)), (20, Taken(2, 2, 5), Taken(2, 2, 5))])
    ratio = dict.fromkeys(
        ("clips", "clip_s", "workers", "rounds", "decode_s", "inventory_s", "dedupe_s",
         "of_decoding", "cpu_of_decoding"), 1
    )  # fmt: skip
    assert "exponent 1.0" in corpus_speed.page({"ratio": ratio, "growth": growth})
