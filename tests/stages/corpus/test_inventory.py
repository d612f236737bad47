"""Every file of audio is one row; broken files are rows, broken tables are errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from corpus_maker import CARD, RATE, make_corpus, tone, write_clip, write_rows
from inventory_maker import PARAMS, QUARANTINE, outputs, take

from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import TimedPhones, read_phone_times
from fonoteka.fingerprint import store
from fonoteka.fingerprint.fingerprint import fingerprint
from stages.corpus.inventory import stage as inventory


def problem(tmp_path, samples, subtype="FLOAT", **limits):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    write_clip(folder / "a.wav", samples, subtype)
    row = take(tmp_path / "raw", replace(PARAMS, **limits))["mine/a.wav"]
    return row["problem"], row["detail"]


def test_a_row_has_the_values_of_table_card_and_audio(tmp_path):
    make_corpus(tmp_path / "raw", ['x/a.wav,"da, ne",ana,hr'], synthetic=True)
    row = take(tmp_path / "raw")["mine/x/a.wav"]
    assert row["text"] == "da, ne"
    assert (row["speaker"], row["language"], row["licence"]) == ("mine/ana", "hr", "CC0")
    assert (row["synthetic"], row["duration_s"], row["problem"]) == ("true", "0.500000", "")
    assert row["bytes"] == str((tmp_path / "raw/mine/x/a.wav").stat().st_size)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (tone(), ("", "")),
        (np.zeros(0), ("empty", "0 samples")),
        (np.full(RATE, np.nan), ("not finite", "sample 0 is nan")),
        (tone(0.09), ("too short", "0.090 s, at least 0.1 s")),
        (tone(2.01), ("too long", "more than 2 s")),
        (tone() / 1024, ("silent", "peak -66.2 dBFS, at least -60 dBFS")),  # 0.5 / 1024
        (np.zeros(RATE), ("silent", "peak -inf dBFS, at least -60 dBFS")),
        (np.clip(4 * tone(), -1, 1), ("clipped", "65.00% of samples at full scale, at most 1.00%")),
        (np.tile(tone()[:, None], 3), ("wrong channel count", "3 channels, at most 2")),
    ],
)
def test_a_bad_sound_is_a_row_with_its_problem_and_its_value(samples, expected, tmp_path):
    assert problem(tmp_path, samples, max_s=2.0) == expected


def test_a_file_above_the_limit_of_bytes_is_not_read(tmp_path):
    result = problem(tmp_path, tone(), "PCM_16", max_bytes=8043)
    assert result == ("too large", "8044 bytes, at most 8043")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "ULAW", "ALAW"])
def test_clipping_is_found_at_any_depth_and_a_loud_clip_is_not_clipped(subtype, tmp_path):
    loud, clipped = 1.9 * tone(), np.clip(2.2 * tone(), -1, 1)
    assert problem(tmp_path / "a", loud, subtype) == ("", "")
    assert problem(tmp_path / "b", clipped, subtype)[0] == "clipped"


def test_peak_level_and_noise_are_measured(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,ne,ana,hr"])
    rng = np.random.default_rng(0)
    bursts = np.concatenate([tone(0.5), np.zeros(RATE // 2)] * 2)
    noise = 0.5 / np.sqrt(2) / 10 * rng.standard_normal(bursts.size)  # 20 dB under the tone
    write_clip(folder / "b.wav", bursts + noise)
    rows = take(tmp_path / "raw")
    clean = rows["mine/a.wav"]
    assert float(clean["peak_dbfs"]) == pytest.approx(-6.02, abs=0.01)  # half of full scale
    assert float(clean["level_dbfs"]) == pytest.approx(-9.03, abs=0.01)  # a sine, 3.01 dB less
    assert clean["snr_db"] == ""  # a steady tone has no pause in which noise could be measured
    assert float(rows["mine/b.wav"]["snr_db"]) == pytest.approx(20, abs=2)  # an estimate


def test_a_broken_file_is_a_row_with_its_problem(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,da,ana,hr"])
    (folder / "a.wav").write_bytes(b"no sound")
    rows = take(tmp_path / "raw")
    assert (rows["mine/a.wav"]["problem"], rows["mine/b.wav"]["problem"]) == ("unreadable", "")
    assert rows["mine/a.wav"]["detail"]


def test_each_row_has_a_fingerprint_unless_its_clip_has_a_problem(tmp_path):
    folder = make_corpus(tmp_path / "raw", [f"{name}.flac,da,ana,hr" for name in "abc"])
    both = np.random.default_rng(1).uniform(-0.5, 0.5, (RATE, 2))
    write_clip(folder / "a.flac", both)
    write_clip(folder / "b.flac", np.zeros(RATE))
    write_clip(folder / "c.flac", both[: RATE // 2, 0])
    rows = take(tmp_path / "raw")
    order = sorted(rows.values(), key=lambda row: row["id"])
    hashes = [store.mark_of(row["pcm_sha256"]) for row in order]
    codes = store.read(tmp_path / "prints.npy", range(3), hashes)
    for row, row_codes in zip(order, codes, strict=True):
        sound, rate = sf.read(tmp_path / "raw" / row["path"], dtype="int16")
        expected = () if row["problem"] else fingerprint(sound, rate)
        assert np.array_equal(row_codes[row_codes > 0], expected)
    assert [row["problem"] for row in order] == ["", "silent", ""]


def test_a_row_has_the_licence_and_the_source_that_hold_for_its_clip(tmp_path):
    lines = ["a.wav,da,ana,hr,,", "b.wav,ne,ana,hr,CC BY-NC 4.0,", "c.wav,tu,ana,hr,,a friend"]
    columns = "path,text,speaker,language,licence,source"
    make_corpus(tmp_path / "raw", lines, columns=columns, licence=" CC0 ", source="a field trip")
    rows = take(tmp_path / "raw")
    assert [(row["licence"], row["source"]) for row in rows.values()] == [
        ("CC0", "a field trip"), ("CC BY-NC 4.0", "a field trip"), ("CC0", "a friend"),
    ]  # fmt: skip


def test_phone_times_of_clips_are_kept_by_id(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    lines = [
        {"path": name, "phones": ["d", "a"], "times_s": [[0, 0.25], [0.25, 0.5]]}
        for name in ("a.wav", "gone.wav")
    ]
    (folder / "phones.jsonl").write_text("\n".join(map(json.dumps, lines)))
    row = take(tmp_path / "raw")["mine/a.wav"]
    times = read_phone_times(tmp_path / "phones.jsonl")
    assert times == {row["id"]: TimedPhones(("d", "a"), ((0.0, 0.25), (0.25, 0.5)))}


def test_the_number_of_workers_changes_no_byte(tmp_path):
    make_corpus(tmp_path / "raw", [f"{n}.wav,da,ana,hr" for n in range(5)])
    written = []
    for workers in (1, 2):
        take(tmp_path / "raw", workers=workers)
        names = ("inventory.csv", "prints.npy", "phones.jsonl", "corpora.json")
        written.append([(tmp_path / name).read_bytes() for name in names])
    assert written[0] == written[1]


def test_a_clip_without_transcript_is_quarantined_on_request(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,,ana,hr"])
    write_clip(folder / "c.wav", tone(hz=999))
    rows = take(tmp_path / "raw", QUARANTINE)
    assert [row["problem"] for row in rows.values()].count("no transcript") == 2
    assert rows["mine/c.wav"]["speaker"] == ""


@pytest.mark.parametrize(("name", "problem"), [("b", "an empty text"), ("c", "no row")])
def test_a_clip_without_transcript_is_refused_by_default(name, problem, tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,,ana,hr"])
    if name == "c":
        write_rows(folder, ["a.wav,da,ana,hr", "b.wav,ne,ana,hr"])
        write_clip(folder / "c.wav", tone())
    with pytest.raises(
        ValueError, match=rf"{name}\.wav: {problem} in metadata\.csv; write what is"
    ):
        take(tmp_path / "raw")


def test_files_that_are_not_audio_are_printed_and_are_rows(tmp_path, capsys):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.mystery.wav,ne,ana,hr"])
    (folder / "README.txt").write_text("hello")
    (folder / "\x1b[2J.txt").write_text("a terminal would obey this name")
    rows = take(tmp_path / "raw")
    assert (len(rows), rows["mine/README.txt"]["problem"]) == (4, "not audio")
    assert rows["mine/README.txt"]["detail"] == "its name ends in '.txt'"
    assert (rows["mine/README.txt"]["bytes"], rows["mine/README.txt"]["sha256"]) == ("5", "")
    assert "2 files are not audio: '\\x1b[2J.txt', README.txt" in capsys.readouterr().out


@pytest.mark.parametrize("name", [".a.wav", ".git/a.wav", "x/.b/c.wav", ".DS_Store"])
def test_a_hidden_file_is_a_row_and_is_not_read(name, tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    write_clip(folder / "b.wav", tone())
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / "b.wav").rename(folder / name)
    row = take(tmp_path / "raw")[f"mine/{name}"]
    assert (row["problem"], row["sha256"]) == ("hidden", "")


def test_the_corpus_has_no_rows_for_its_own_files(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "x/report.json,da,ana,hr"][:1])
    for name in ("phones.jsonl", "report.json"):
        (folder / name).write_text("{}" if name == "report.json" else "")
    assert list(take(tmp_path / "raw")) == ["mine/a.wav"]


def test_only_named_corpora_take_part(tmp_path):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"], name="other")
    assert list(take(tmp_path / "raw")) == ["mine/a.wav"]
    both = take(tmp_path / "raw", replace(PARAMS, corpora=("other", "mine")))
    assert [row["speaker"] for row in both.values()] == ["mine/ana", "other/ana"]


@pytest.mark.parametrize("exists", [True, False])
def test_no_corpus_at_all_is_an_error_with_a_way_out(exists, tmp_path):
    if exists:
        (tmp_path / "raw").mkdir()
        (tmp_path / "raw/.gitignore").touch()
    with pytest.raises(ValueError, match="raw holds no corpus: add one with python -m"):
        take(tmp_path / "raw")


def test_a_corpus_that_is_not_there_is_an_error_that_names_those_that_are(tmp_path):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"], name="other")
    with pytest.raises(ValueError, match=r"holds no corpus 'mine', only \['other'\]; correct inv"):
        take(tmp_path / "raw")


def test_a_corpus_without_audio_is_an_error(tmp_path):
    make_corpus(tmp_path / "raw", [])
    with pytest.raises(ValueError, match="mine: no audio"):
        take(tmp_path / "raw")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpora": ()}, r"inventory\.corpora must name one or more folders .* found \[\]"),
        ({"corpora": ("a", "a")}, r"each once, found \['a', 'a'\]"),
        ({"untranscribed": "skip"}, "must be refuse or quarantine, found 'skip'"),
        ({"min_s": 30.0}, r"below max_s, found 30\.0 and 20\.0"),
        ({"max_bytes": 0}, r"inventory\.max_bytes must be at least 1, found 0"),
        ({"memory_mib": 63}, r"inventory\.memory_mib must be at least 64, found 63"),
        ({"max_clipped_fraction": 1.1}, r"must be within 0 and 1, found 1\.1"),
        ({"silent_below_dbfs": 1.0}, r"must be 0 or less, found 1\.0"),
    ],
)
def test_params_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)


def test_the_command_line_reads_params_and_paths(tmp_path, monkeypatch, capsys):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    (tmp_path / "params.yaml").write_text(
        "inventory: {corpora: [mine], untranscribed: refuse, "
        "min_s: 0.1, max_s: 9, max_bytes: 1000000, max_channels: 2, max_decode_s: 20, "
        "memory_mib: 512, silent_below_dbfs: -60, max_clipped_fraction: 0.01}\n"
    )
    monkeypatch.chdir(tmp_path)
    paths = map(str, vars(outputs(Path("out"))).values())
    monkeypatch.setattr("sys.argv", ["inventory", "raw", *paths])
    inventory.main()
    assert (tmp_path / "out/inventory.csv").is_file()
    assert read_json(tmp_path / "out/corpora.json") == [CARD]
    assert np.load(tmp_path / "out/prints.npy").shape == (1, store.SIZE + 1)
    assert "1 files, problems: none" in capsys.readouterr().out


def test_a_note_is_in_the_detail_of_a_row_without_a_problem(tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,ne,ana,hr", "c.wav,,ana,hr"])
    for name in ("b.wav", "c.wav"):
        path = folder / name
        path.write_bytes(path.read_bytes() + b"<xml>meta</xml>")
    rows = take(tmp_path / "raw", QUARANTINE)
    assert [(row["problem"], row["detail"]) for _, row in sorted(rows.items())] == [
        ("", ""), ("", "15 bytes after the sound"),
        ("no transcript", "15 bytes after the sound"),
    ]  # fmt: skip
