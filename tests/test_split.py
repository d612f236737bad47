"""Each speaker has one part, and keeps it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corpus_maker import utterance
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.corpora import INDEX_COLUMNS
from stages.common.manifest import read, write
from stages.common.tables import write_table
from stages.corpus import split as stage
from stages.corpus.split import PARTS, SplitParams, join, part_of, split

PARAMS = SplitParams(salt="a", valid_fraction=0.2, test_fraction=0.3, assigned={})


def corpus(speakers, clips=2, name="c"):
    return [utterance(f"{name}/s{s}", n) for s in range(speakers) for n in range(clips)]


def speakers_of(parts):
    return {part: {u.speaker for u in rows} for part, rows in parts.items()}


def assign(**assigned):
    return replace(PARAMS, assigned={name.replace("_", "/"): p for name, p in assigned.items()})


@settings(deadline=None, max_examples=25)
@given(
    salt=st.text(max_size=5),
    names=st.lists(st.text("abcdefgh", min_size=1), min_size=60, max_size=80, unique=True),
)
def test_no_speaker_is_in_two_parts(salt, names):
    rows = [utterance(f"c/{name}", n) for name in names for n in range(2)]
    parts = split(rows, replace(PARAMS, salt=salt))
    heard = [speaker for found in speakers_of(parts).values() for speaker in found]
    assert len(heard) == len(set(heard)) == len(names)
    assert sum(map(len, parts.values())) == len(rows)


def test_added_speakers_and_clips_move_nobody():
    before = speakers_of(split(corpus(50), PARAMS))
    after = speakers_of(split(corpus(80, clips=3) + corpus(5, name="d"), PARAMS))
    assert all(before[part] <= after[part] for part in PARTS)


def test_the_fractions_are_of_speakers():
    parts = speakers_of(split(corpus(2000, clips=1), PARAMS))
    # the deviation of a share of 0.3 among 2000 draws is 0.01; four of them
    assert len(parts["test"]) / 2000 == pytest.approx(0.3, abs=0.04)
    assert len(parts["valid"]) / 2000 == pytest.approx(0.2, abs=0.04)


def test_an_assigned_speaker_goes_before_its_corpus_and_that_before_the_draw():
    params = replace(PARAMS, assigned={"c/*": "valid", "c/s1": "test"})
    assert part_of("c/s1", params) == "test"
    assert part_of("c/s2", params) == "valid"
    assert part_of("d/s1", params) == part_of("d/s1", PARAMS)


def test_all_parts_can_be_assigned():
    parts = split(corpus(3), assign(c_s0="train", c_s1="valid", c_s2="test"))
    assert speakers_of(parts) == {"train": {"c/s0"}, "valid": {"c/s1"}, "test": {"c/s2"}}


@pytest.mark.parametrize(("name", "close"), [("c/s11", "c/s1"), ("b/*", r"c/\*"), ("?", "c/s0")])
def test_an_assigned_name_that_is_nobodys_is_an_error_with_close_ones(name, close):
    params = replace(PARAMS, assigned={name: "test"})
    with pytest.raises(ValueError, match=rf"is no speaker; close to it are \[.*'{close}'"):
        split(corpus(3), params)


@pytest.mark.parametrize("speakers", [0, 1, 2])
def test_too_few_speakers_are_an_error(speakers):
    with pytest.raises(ValueError, match=rf"split: {speakers} speakers, .*need one each"):
        split(corpus(speakers), PARAMS)


def test_a_part_without_a_speaker_is_an_error_that_names_the_salt():
    params = assign(c_s0="train", c_s1="valid", c_s2="train")
    with pytest.raises(
        ValueError, match=r"no speaker of 3 fell into test with salt 'a'; add speakers, or change"
    ):
        split(corpus(3), params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_fraction": 0.9}, r"sum to less than 1, found 0\.2 and 0\.9"),
        ({"test_fraction": -0.1}, r"must be 0 or more"),
        ({"assigned": {"a/b": "tset"}}, r"a/b has the part 'tset'; expected one of \['train'"),
    ],
)
def test_params_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)


def entry(row, duration_s="1.0000", offset_s="0.0000", problem=""):
    return dict(
        zip(INDEX_COLUMNS, (row.id, f"s.tar/{row.id}.flac", duration_s, offset_s, problem),
            strict=True)
    )  # fmt: skip


def test_phone_times_move_with_what_was_trimmed():
    row = replace(utterance("c/a"), phone_times_s=((0.1, 0.5), (0.5, 0.95)))
    (joined,) = join([row], [entry(row, "0.6000", "0.2500")])
    assert joined.phone_times_s == ((0.0, 0.25), (0.25, 0.6))
    assert (joined.audio, joined.duration_s) == (f"s.tar/{row.id}.flac", 0.6)


def test_a_clip_that_preprocessing_dropped_is_left_out():
    kept, dropped, absent, refused = (utterance(f"c/{name}") for name in "abcd")
    index = [entry(kept), entry(dropped, problem="silent"), entry(refused)]
    assert [u.id for u in join([kept, dropped, absent], index)] == [kept.id]


def test_the_command_line_writes_three_manifests(tmp_path, monkeypatch, capsys):
    rows = corpus(30)
    write(tmp_path / "t.jsonl", rows)
    write_table(tmp_path / "i.csv", INDEX_COLUMNS, [entry(row) for row in rows[:-1]])
    (tmp_path / "params.yaml").write_text(
        "split: {salt: a, valid_fraction: 0.2, test_fraction: 0.3, assigned: {c/s0: test}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["split", "t.jsonl", "i.csv", "a.jsonl", "b.jsonl", "c.jsonl"])
    stage.main()
    assert sum(len(read(tmp_path / f"{part}.jsonl")) for part in "abc") == 59
    assert "c/s0" in {u.speaker for u in read(tmp_path / "c.jsonl")}
    assert "1 left out in preprocessing" in capsys.readouterr().out
