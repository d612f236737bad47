"""One clip of each recording stays, and clips that leave have a reason."""

from __future__ import annotations

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import soundfile
from corpus_maker import shared_corpus
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.audiocheck.decode import read_sound
from fonoteka.bench.degradations import degrade
from fonoteka.bench.synthetic_clips import speech_like
from fonoteka.core.files import read_json
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, INVENTORY_COLUMNS
from fonoteka.fingerprint import store
from fonoteka.fingerprint.fingerprint import MIN_RATE_HZ, SIZE, fingerprint
from fonoteka.tables import read_table, write_table
from stages.corpus.dedupe import stage as dedupe
from stages.corpus.dedupe.groups import CopyPair, DedupeClip
from stages.corpus.dedupe.near_duplicates import find_copies
from stages.corpus.dedupe.stage import (
    DedupeInputs,
    DedupeOutputs,
    DedupeParams,
    find_exact_copies,
    resolve_copies,
    write_tables,
)

PARAMS = DedupeParams("quarantine", 0.95, 0.6, ())
RATE = 16000


def row(name, pcm, problem="", **more):
    return dict.fromkeys(INVENTORY_COLUMNS, "") | {
        "id": name, "path": f"mine/{name}.flac", "pcm_sha256": pcm, "problem": problem,
        "sample_rate_hz": str(RATE), "duration_s": "1.0", "codec": "FLAC PCM_16", **more,
    }  # fmt: skip


def write_inventory(folder, rows, sounds=None):
    """Write a table, and the fingerprints of the sounds, which are given by id."""
    rows = sorted(rows, key=lambda r: r["id"])
    write_table(folder / "i.csv", INVENTORY_COLUMNS, rows)
    silence = np.zeros(9, dtype=np.float32)
    with store.written(folder / "p.npy", len(rows)) as write:
        for r in rows:
            rate = int(r["sample_rate_hz"])
            codes = (
                fingerprint((sounds or {}).get(r["id"], silence), rate)
                if rate >= MIN_RATE_HZ
                else ()
            )
            write(store.as_row(r["pcm_sha256"], np.array(codes, dtype=np.uint64)))


def run(folder, params=PARAMS, workers=1):
    """Run the stage on `i.csv` and return its accepted and quarantined rows."""
    outputs = DedupeOutputs(*(folder / name for name in ("a.csv", "q.csv", "d.csv", "r.json")))
    inputs = DedupeInputs(folder / "i.csv", folder / "p.npy", folder / "raw")
    dedupe.run(inputs, outputs, params, workers)
    return read_table(outputs.accepted, ("id", "group")), read_table(outputs.quarantined, ("id",))


def record(folder, **sounds):
    """Write sounds as FLAC files and an inventory of them."""
    (folder / "raw" / "mine").mkdir(parents=True)
    for name, samples in sounds.items():
        soundfile.write(folder / "raw" / "mine" / f"{name}.flac", samples, RATE)
    rows = [
        row(name, name, duration_s=f"{len(x) / RATE:.6f}", text=f"text {name}")
        for name, x in sounds.items()
    ]
    write_inventory(folder, rows, sounds)
    return rows


@pytest.fixture
def three(tmp_path):
    """A recording, another one, and a noisy copy of the first that begins 0.3 s later."""
    first, second = speech_like(1, 1.2, RATE), speech_like(2, 1.2, RATE)
    noisy = degrade(
        "noise 20 dB below", first.astype(float), RATE, np.random.default_rng(1)
    ).samples
    record(tmp_path, a=first, b=second, c=np.r_[np.zeros(4800), 0.5 * noisy][:20000])
    return tmp_path


def test_a_near_duplicate_leaves_with_its_reason_and_the_clip_that_stays(three):
    accepted, quarantined = run(three)
    assert [(r["id"], r["group"]) for r in accepted] == [("b", ""), ("c", "")]
    assert [(r["id"], r["problem"], r["duplicate_of"], r["detail"]) for r in quarantined] == [
        ("a", "near duplicate", "c", "text 'text a', there 'text c'")
    ]
    assert list(accepted[0]) == list(ACCEPTED_COLUMNS)


def test_the_table_has_the_similarity_and_the_lag_of_copies(three):
    run(three)
    rows = read_table(three / "d.csv", dedupe.DUPLICATES_COLUMNS)
    assert [(r["group"], r["id"], r["stays"], r["like"]) for r in rows] == [
        ("c", "a", "false", "c"), ("c", "c", "true", "a")
    ]  # fmt: skip
    assert float(rows[0]["similarity"]) > 0.98  # noise 20 dB below leaves 0.995
    assert [float(r["lag_s"]) for r in rows] == pytest.approx([0.3, -0.3], abs=0.001)


def test_the_report_has_counts_and_no_names(three):
    run(three)
    report = read_json(three / "r.json")
    assert report["near"]["leave"] == 1
    assert report["near"]["clips"] == 2
    assert report["clips"] == 3
    assert "text" not in (three / "r.json").read_text()


def test_copies_may_stay_as_one_group(three):
    accepted, quarantined = run(three, DedupeParams("group", 0.95, 0.6, ()))
    assert [(r["id"], r["group"]) for r in accepted] == [("a", "a"), ("b", ""), ("c", "a")]
    assert quarantined == []


def test_copies_may_only_be_reported(three):
    accepted, _ = run(three, DedupeParams("report", 0.95, 0.6, ()))
    assert [r["group"] for r in accepted] == ["", "", ""]
    assert len(read_table(three / "d.csv", ("id",))) == 2


def of_corpora(folder, corpora, pcm=None):
    """Write the inventory again with the corpus of each clip, and with the hashes of `pcm`."""
    rows, hashes = read_table(folder / "i.csv", INVENTORY_COLUMNS), pcm or {}
    placed = [r | {"corpus": corpora[r["id"]]} for r in rows]
    write_inventory(folder, [r | {"pcm_sha256": hashes.get(r["id"], r["id"])} for r in placed])


def preferring(*corpora):
    return dataclasses.replace(PARAMS, preferred=corpora)


def test_of_equal_clips_the_one_of_the_first_preferred_corpus_stays(three):
    of_corpora(three, {"a": "pseudo", "b": "people", "c": "other"}, dict.fromkeys("abc", "ee"))
    assert [r["id"] for r in run(three)[0]] == ["a"]  # the first by id
    accepted, quarantined = run(three, preferring("people", "pseudo"))
    assert [r["id"] for r in accepted] == ["b"]
    assert [(r["id"], r["duplicate_of"], r["problem"]) for r in quarantined] == [
        ("a", "b", "duplicate"), ("c", "b", "duplicate")
    ]  # fmt: skip
    assert quarantined[0]["detail"] == "text 'text a', there 'text b'"


def test_of_near_duplicates_the_one_of_a_preferred_corpus_stays(three):
    assert [r["id"] for r in run(three)[0]] == ["b", "c"]  # c is the longer copy
    rows = read_table(three / "i.csv", INVENTORY_COLUMNS)
    table = [r | {"corpus": "people" if r["id"] == "a" else "pseudo"} for r in rows]
    write_table(three / "i.csv", INVENTORY_COLUMNS, table)  # the fingerprints stay as they are
    assert [r["id"] for r in run(three, preferring("people"))[0]] == ["a", "b"]


def test_a_preferred_clip_with_a_problem_does_not_replace_its_copy(three):
    of_corpora(three, {"a": "pseudo", "b": "people", "c": "people"}, {"a": "ee", "b": "ee"})
    rows = read_table(three / "i.csv", INVENTORY_COLUMNS)
    broken = [r | {"problem": "silent" if r["id"] == "b" else ""} for r in rows]
    write_table(three / "i.csv", INVENTORY_COLUMNS, broken)
    assert [r["id"] for r in run(three, preferring("people"))[0]] == ["a", "c"]


def test_a_preferred_corpus_without_a_clip_is_refused(three):
    of_corpora(three, {"a": "pseudo", "b": "people", "c": "people"})
    with pytest.raises(ValueError, match="'peple' has no clip; expected some of people, pseudo"):
        run(three, preferring("peple"))


def test_a_declared_copy_stays_in_its_parents_group(three):
    rows = read_table(three / "i.csv", INVENTORY_COLUMNS)
    write_inventory(three, [r | {"parent": "a" if r["id"] == "c" else ""} for r in rows])
    accepted, quarantined = run(three)
    assert [(r["id"], r["group"]) for r in accepted] == [("a", "a"), ("b", ""), ("c", "a")]
    assert quarantined == []


def test_the_files_are_the_same_with_two_workers(three):
    run(three)
    alone = [(three / name).read_bytes() for name in ("a.csv", "q.csv", "d.csv", "r.json")]
    run(three, workers=2)
    assert alone == [(three / n).read_bytes() for n in ("a.csv", "q.csv", "d.csv", "r.json")]


def test_what_cannot_be_compared_is_counted_with_its_reason(three):
    rows = [row("a", "1"), row("b", "2"), row("c", "3", sample_rate_hz="4000")]
    write_inventory(three, rows, {"a": speech_like(1, 1.2, RATE), "b": np.zeros(RATE)})
    accepted, _ = run(three)
    assert len(accepted) == 3
    assert read_json(three / "r.json")["not_compared"] == {
        "below 4600 Hz": 1, "no sound in the band": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "p.npy: no such file of fingerprints; run the inventory"),
        (lambda path: path.write_bytes(b"prints"), "p.npy: cannot be read: .*; run the inventory"),
        (
            lambda path: np.save(path, np.zeros((3, 9))),
            r"float64 of shape \[3, 9\], expected uint64",
        ),
        (
            lambda path: np.save(path, np.load(path)[[1, 0, 2]]),
            "row 1 belongs to other samples than the same row of the inventory's table; run the "
            "inventory again",
        ),
    ],
)
def test_prints_that_are_not_the_tables_are_refused(damage, message, three):
    damage(three / "p.npy")
    with pytest.raises(ValueError, match=message):
        run(three)


def test_takes_of_one_word_by_one_voice_stay(tmp_path):
    source, raw = shared_corpus("fsdd"), tmp_path / "raw" / "mine"
    raw.mkdir(parents=True)
    takes = sorted(
        (source / "audio").glob("4_george_*.wav")
    )  # the most similar takes of the data set
    for path in takes:
        shutil.copyfile(path, raw / path.name)
    copied = takes[7].with_suffix(".ogg").name
    soundfile.write(raw / copied, *soundfile.read(takes[7]))
    clips = [
        DedupeClip(path.name, f"mine/{path.name}", "", 8000, soundfile.info(path).duration, "")
        for path in sorted(raw.iterdir())
    ]
    codes = np.zeros((len(clips), SIZE), dtype=np.uint64)
    for index, path in enumerate(sorted(raw.iterdir())):
        fingerprint_codes = fingerprint(*read_sound(path))
        codes[index, : len(fingerprint_codes)] = fingerprint_codes
    search = find_copies(clips, codes, tmp_path / "raw", 0.97, 0.6, 1)
    assert len(takes) == 50
    assert [(c.first, c.second) for c in search.copies] == [(copied, takes[7].name)]


def resolved(*rows, tmp_path, copies=(), policy="quarantine"):
    write_inventory(tmp_path, rows)
    unique = find_exact_copies(tmp_path / "i.csv")
    return resolve_copies(unique.clips, unique.exact, copies, policy)


def test_of_equal_sounds_the_first_by_id_stays(tmp_path):
    result = resolved(row("c", "1"), row("a", "1"), row("b", "2"), tmp_path=tmp_path)
    assert (result.exact, result.near, result.groups) == ({"c": "a"}, {}, {})


def test_a_file_with_a_problem_is_not_an_original(tmp_path):
    result = resolved(row("a", "1", "silent"), row("b", "1"), tmp_path=tmp_path)
    assert result.exact == {}


def test_an_equal_clip_of_one_that_leaves_points_to_the_one_that_stays(tmp_path):
    rows = [row("a", "1"), row("b", "1"), row("c", "2", sample_rate_hz="44100")]
    result = resolved(*rows, tmp_path=tmp_path, copies=[CopyPair("a", "c", 0.97, 0.0)])
    assert (result.exact, result.near) == ({"b": "c"}, {"a": "c"})


def test_a_child_of_an_exact_duplicate_is_in_its_group(tmp_path):
    result = resolved(row("a", "1"), row("b", "1"), row("k", "2", parent="b"), tmp_path=tmp_path)
    assert result.groups == {"a": "a", "k": "a"}


def test_equal_sounds_with_unequal_texts_are_pointed_out(tmp_path):
    record(tmp_path, a=speech_like(1, 0.5, RATE))
    write_inventory(tmp_path, [row("a", "1", text="da"), row("b", "1", text="ne")])
    _, quarantined = run(tmp_path)
    assert [r["detail"] for r in quarantined] == ["text 'ne', there 'da'"]


@settings(deadline=None)  # a busy machine must not fail the test
@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.tuples(st.sampled_from("123"), st.sampled_from(["", "x"]))
    )
)
def test_every_file_is_in_one_table_and_no_sound_is_accepted_twice(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("tables")
    write_inventory(folder, [row(name, *rest) for name, rest in files.items()])
    sounds = find_exact_copies(folder / "i.csv")
    result = resolve_copies(sounds.clips, sounds.exact, (), "quarantine")
    outputs = DedupeOutputs(*(folder / name for name in ("a.csv", "q.csv", "d.csv", "r.json")))
    reasons = write_tables(folder / "i.csv", result, outputs)
    accepted, quarantined = (
        read_table(path, ("id",)) for path in (outputs.accepted, outputs.quarantined)
    )
    assert reasons.total() == len(quarantined)
    assert sorted(r["id"] for r in accepted + quarantined) == sorted(files)
    sounds = [r["pcm_sha256"] for r in accepted]
    assert len(sounds) == len(set(sounds))
    assert all(r["problem"] for r in quarantined)


def test_when_nothing_can_be_used_nothing_is_written(tmp_path):
    write_inventory(tmp_path, [row("a", "", "empty")])
    with pytest.raises(ValueError, match=r"none of 1 files can be used: \{'empty': 1\}; add some"):
        run(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i.csv", "p.npy"]


def test_an_inventory_out_of_order_is_refused(tmp_path):
    write_table(tmp_path / "i.csv", INVENTORY_COLUMNS, [row("b", "1"), row("a", "2")])
    with pytest.raises(ValueError, match="id 'a' is after 'b'; run the inventory again"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("drop", 0.95, 0.6, ()), "near must be quarantine, group or report, found 'drop'"),
        (("group", 1.5, 0.6, ()), "similarity must be above 0 and at most 1, found 1.5"),
        (("group", 0.95, -1.0, ()), "outside_s must be 0 or more, found -1.0"),
        (("group", 0.95, 0.6, ("a", "a")), "preferred has a corpus twice: a, a"),
    ],
)
def test_parameters_without_a_meaning_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DedupeParams(*values)


def test_the_command_line_writes_all_four_files(three, monkeypatch):
    (three / "params.yaml").write_text(
        "dedupe: {near: quarantine, similarity: 0.95, outside_s: 0.6, preferred: []}"
    )
    monkeypatch.chdir(three)
    monkeypatch.setattr(
        "sys.argv", ["dedupe", "i.csv", "p.npy", "raw", "a.csv", "q.csv", "d.csv", "reports/r.json"]
    )
    monkeypatch.setattr(dedupe, "worker_count", lambda: 1)
    dedupe.main()
    with (three / "q.csv").open(newline="") as file:
        assert [r["duplicate_of"] for r in csv.DictReader(file)] == ["c"]
    assert (three / "a.csv").read_text().count("\n") == 3
    assert (three / "reports" / "r.json").is_file()
