"""Each speaker group has one split and keeps it."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from corpus_maker import utterance
from hypothesis import given, settings
from hypothesis import strategies as st

from fonoteka.manifest import PARTS, read, write
from fonoteka.tables import read_table, write_table
from stages.corpus.audit.leakage import find_leaks, flatten
from stages.corpus.split import stage
from stages.corpus.split.assign import SplitParams, assign_splits, drawn_part
from stages.corpus.split.speaker_groups import speaker_groups
from stages.corpus.split.stage import read_parts, split, without_known_sentences
from stages.corpus.synthesize.voices import VARIANTS

PARAMS = SplitParams(
    salt="a", valid_fraction=0.2, test_fraction=0.3, assigned={}, sentences="report",
    same_sentences=(), max_left_out_fraction=0.1, held_out="",
)  # fmt: skip


def corpus(speakers, clips=2, name="c", **more):
    return [utterance(f"{name}/s{s}", n, **more) for s in range(speakers) for n in range(clips)]


def divide(rows, params=PARAMS, table=None, parents=None):
    return split(rows, assign_splits(speaker_groups(rows, parents or {}), params, table or {}))


def speakers_of(parts):
    return {part: {u.speaker for u in rows} for part, rows in parts.items()}


def part_by_speaker(parts):
    return {speaker: part for part, speakers in speakers_of(parts).items() for speaker in speakers}


def assign(**assigned):
    return replace(PARAMS, assigned={name.replace("_", "/"): p for name, p in assigned.items()})


@settings(deadline=None, max_examples=25)
@given(
    salt=st.text(max_size=5),
    names=st.lists(st.text("abcdefgh", min_size=1), min_size=60, max_size=80, unique=True),
)
def test_no_speaker_is_in_two_parts(salt, names):
    rows = [utterance(f"c/{name}", n) for name in names for n in range(2)]
    parts = divide(rows, replace(PARAMS, salt=salt))
    all_speakers = [speaker for speakers in speakers_of(parts).values() for speaker in speakers]
    assert len(all_speakers) == len(set(all_speakers)) == len(names)
    assert sum(map(len, parts.values())) == len(rows)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), ties=st.integers(0, 25))
def test_the_audits_own_search_finds_no_leak_in_any_split(seed, ties):
    drawn = random.Random(seed)
    rows = [utterance(f"c/{'sS'[n % 2]}{n // 4}", n) for n in range(120)]
    parents = {}
    for _ in range(ties):
        index, other = drawn.randrange(120), drawn.choice(rows).id
        kind = drawn.choice(("session", "group", "parent", "lost"))
        if kind == "lost":  # a copy of a copy that is no longer there
            rows[index] = replace(rows[index], parent=f"gone-{index}")
            parents[f"gone-{index}"] = other
        else:
            rows[index] = replace(
                rows[index], **{kind: f"c/{index % 7}" if kind == "session" else other}
            )
    try:
        parts = divide(rows, parents=parents)
    except ValueError as error:
        assert "must stay whole" in str(error) or "fell into" in str(error)  # noqa: PT017
    else:
        inventory = {child: {"parent": parent} for child, parent in parents.items()}
        assert not list(flatten(find_leaks(parts, inventory)))


@pytest.mark.parametrize("tie", ["group", "parent", "session", "absent"])
def test_a_clip_that_two_speakers_share_keeps_them_in_one_split(tie):
    rows, parents = corpus(40), {}
    for number in range(20):
        shared = f"c/s{number}-shared"
        first = replace(utterance(f"c/s{number}", 9), id=shared)
        other = utterance(f"c/s{number + 20}", 9)
        if tie == "session":
            first = replace(first, session=shared)
        if tie == "absent":  # a copy of a copy that was set aside
            parents[f"gone-{number}"] = shared
            rows += [first, replace(other, parent=f"gone-{number}")]
        else:
            rows += [first, replace(other, **{tie: shared})]
    parts = part_by_speaker(divide(rows, parents=parents))
    assert all(parts[f"c/s{number}"] == parts[f"c/s{number + 20}"] for number in range(20))


def test_added_speakers_and_clips_move_no_speaker():
    before = speakers_of(divide(corpus(50)))
    after = speakers_of(divide(corpus(80, clips=3) + corpus(5, name="d")))
    assert all(before[part] <= after[part] for part in PARTS)


@pytest.mark.parametrize("seed", range(5))
def test_an_added_speaker_moves_only_groups_that_were_moved_for_a_language(seed):
    drawn = random.Random(seed)
    rows, before = corpus(3), {}
    for number in range(40):
        language = drawn.choice(("bs", "en", "hr", "sr"))
        rows.append(utterance(f"c/{drawn.random()}", number, language=language))
        after = {p.group.first: p for p in assign_splits(speaker_groups(rows, {}), PARAMS, {})}
        for speaker, earlier in before.items():
            if earlier.movable and after[speaker].movable:
                assert earlier.part == after[speaker].part == after[speaker].drawn
        before = after


def test_new_clips_that_tie_two_speakers_take_both_to_the_part_of_the_first():
    rows = corpus(30)
    before = part_by_speaker(divide(rows))
    first = min(s for s, part in before.items() if part == "train")
    other = max(s for s, part in before.items() if part == "test")
    added = [utterance(speaker, 9, session="c/duet") for speaker in (first, other)]
    after = part_by_speaker(divide(rows + added))
    assert after[first] == after[other] == before[min(first, other)]
    assert sum(before[s] != after[s] for s in before) == 1


def test_the_fractions_are_of_speakers():
    parts = speakers_of(divide(corpus(2000, clips=1)))
    # the deviation of a share of 0.3 among 2000 draws is 0.01; four of them
    assert len(parts["test"]) / 2000 == pytest.approx(0.3, abs=0.04)
    assert len(parts["valid"]) / 2000 == pytest.approx(0.2, abs=0.04)


def test_the_embedded_voices_are_where_every_reported_number_has_them():
    params = replace(PARAMS, salt="speakers-16", valid_fraction=0.13, test_fraction=0.19)
    rows = [utterance(f"embedded/{name}", 0, code) for name in VARIANTS for code in ("bs", "sr")]
    parts = speakers_of(divide(rows, params))
    assert [len(parts[part]) for part in PARTS] == [44, 10, 12]
    assert {name.removeprefix("embedded/") for name in parts["test"]} == {
        "Andy", "Jacky", "Mario", "Tweaky", "david", "f2", "f5", "gustave", "m8", "pablo",
        "victor", "zac",
    }  # fmt: skip


@pytest.mark.parametrize("salt", [f"salt {n}" for n in range(10)])
def test_every_part_has_every_language_that_three_speakers_speak(salt):
    rows = corpus(30) + corpus(3, name="few", language="bs") + corpus(2, name="two", language="sr")
    parts = divide(rows, replace(PARAMS, salt=salt))
    assert all({"hr", "bs"} <= {u.language for u in parts[part]} for part in PARTS)


def test_a_group_that_is_moved_for_a_language_has_that_reason():
    rows = corpus(30) + corpus(3, name="few", language="bs")
    assignments = assign_splits(speaker_groups(rows, {}), PARAMS, {})
    moved = [each for each in assignments if each.part != each.drawn]
    assert moved
    assert {each.reason for each in moved} == {"for bs"}
    assert all(each.group.first.startswith("few/") for each in moved)


def names_drawn(part, count, params):
    """Return speakers whose names draw a part."""
    drawn = (f"few/{n}" for n in itertools.count())
    return list(itertools.islice((n for n in drawn if drawn_part(n, params) == part), count))


def test_the_smallest_group_that_can_leave_is_moved_for_a_language():
    names = names_drawn("train", 7, PARAMS)
    rows = corpus(30) + [utterance(name, 0, language="bs") for name in names[4:]]
    for number, pair in enumerate((names[:2], names[2:4])):
        rows += [utterance(n, 0, language="bs", session=f"few/{number}") for n in pair]
    moved = [
        each
        for each in assign_splits(speaker_groups(rows, {}), PARAMS, {})
        if each.reason == "for bs"
    ]
    assert [each.part for each in moved if len(each.group.speakers) == 1] == ["test", "valid"]
    assert len(moved) == 2


@pytest.mark.parametrize("salt", [f"salt {n}" for n in range(10)])
def test_the_only_speaker_of_a_language_in_a_part_is_not_moved(salt):
    params = replace(PARAMS, salt=salt)
    names = names_drawn("train", 1, params) + names_drawn("valid", 2, params)
    rows = corpus(30) + [utterance(name, 0, language="bs") for name in names]
    assignments = {
        each.group.first: each for each in assign_splits(speaker_groups(rows, {}), params, {})
    }
    assert assignments[names[0]].reason == "drawn"
    assert sorted(assignments[name].part for name in names[1:]) == ["test", "valid"]


def test_a_part_with_fraction_0_gets_no_group_for_a_language():
    params = replace(assign(c_s0="test", c_s1="valid"), valid_fraction=0.0, test_fraction=0.0)
    parts = speakers_of(divide(corpus(9) + corpus(9, name="d", language="bs"), params))
    assert (parts["test"], parts["valid"]) == ({"c/s0"}, {"c/s1"})


def test_a_held_out_speaker_alone_is_test():
    everyone = part_by_speaker(divide(corpus(20)))
    parts = speakers_of(divide(corpus(20), replace(PARAMS, held_out="c/s3")))
    assert parts["test"] == {"c/s3"}
    assert parts["valid"] == {s for s, p in everyone.items() if p == "valid"} - {"c/s3"}


def test_a_held_out_speaker_takes_their_group_along():
    rows = [*corpus(20), *(utterance(f"c/s{n}", 9, session="c/duet") for n in (3, 7))]
    assert speakers_of(divide(rows, replace(PARAMS, held_out="c/s7")))["test"] == {"c/s3", "c/s7"}


def test_a_fold_leaves_someone_to_validate_on():
    params = replace(assign(c_s0="train", c_s1="train", c_s2="test"), held_out="c/s2")
    with pytest.raises(ValueError, match="no speaker of 3 fell into valid"):
        divide(corpus(3), params)
    params_without_assigned = replace(PARAMS, held_out="c/s2", valid_fraction=0.01)
    assert all(speakers_of(divide(corpus(3), params_without_assigned))[part] for part in PARTS)


def test_an_unknown_held_out_speaker_is_an_error():
    with pytest.raises(
        ValueError, match=r"held_out: 'c/s99' is not a speaker; close to it are \['c/"
    ):
        divide(corpus(20), replace(PARAMS, held_out="c/s99"))


def test_an_assigned_speaker_goes_before_its_corpus_and_that_before_the_draw():
    params = replace(PARAMS, assigned={"c/*": "valid", "c/s1": "test"})
    parts = part_by_speaker(divide(corpus(3) + corpus(20, name="d"), params))
    assert (parts["c/s0"], parts["c/s1"], parts["c/s2"]) == ("valid", "test", "valid")
    assert all(parts[f"d/s{n}"] == drawn_part(f"d/s{n}", PARAMS) for n in range(20))


def test_all_parts_can_be_assigned():
    parts = divide(corpus(3), assign(c_s0="train", c_s1="valid", c_s2="test"))
    assert speakers_of(parts) == {"train": {"c/s0"}, "valid": {"c/s1"}, "test": {"c/s2"}}


def test_an_assigned_speaker_takes_their_group_along():
    rows = [*corpus(20), *(utterance(f"c/s{n}", 9, session="c/duet") for n in (3, 7))]
    for part in PARTS:
        parts = part_by_speaker(divide(rows, assign(c_s7=part)))
        assert parts["c/s3"] == parts["c/s7"] == part


def test_a_group_with_two_explicit_parts_is_an_error_that_names_what_it_shares():
    rows = [*corpus(9), *(utterance(f"c/s{n}", 9, session="c/duet") for n in (3, 7))]
    with pytest.raises(
        ValueError,
        match=r"c/s3 in train and c/s7 in test cannot both be, because they share session c/duet",
    ):
        divide(rows, assign(c_s3="train", c_s7="test"))


@pytest.mark.parametrize(("name", "close"), [("c/s11", "c/s1"), ("b/*", r"c/\*"), ("?", "c/s0")])
def test_an_unknown_assigned_name_is_an_error_with_similar_names(name, close):
    params = replace(PARAMS, assigned={name: "test"})
    with pytest.raises(ValueError, match=rf"is not a speaker; close to it are \[.*'{close}'"):
        divide(corpus(3), params)


@pytest.mark.parametrize("speakers", [0, 1, 2])
def test_too_few_speakers_are_an_error(speakers):
    with pytest.raises(ValueError, match=rf"split: {speakers} speakers, .*need one each"):
        divide(corpus(speakers))


def test_too_few_groups_are_an_error_that_names_what_they_share():
    rows = corpus(6, session="c/choir")
    with pytest.raises(
        ValueError, match=r"6 speakers in 1 groups that must .* c/s0, .* share session c/choir: "
    ):
        divide(rows)


def test_a_part_without_a_speaker_is_an_error_that_names_the_salt():
    params = assign(c_s0="train", c_s1="valid", c_s2="train")
    with pytest.raises(
        ValueError, match=r"no speaker of 3 fell into test with salt 'a'; add speakers, or change"
    ):
        divide(corpus(3), params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_fraction": 0.9}, r"sum to less than 1, found 0\.2 and 0\.9"),
        ({"valid_fraction": 0.5, "test_fraction": 0.5}, r"sum to less than 1, found 0\.5 and 0\.5"),
        ({"test_fraction": -0.1}, r"must be 0 or more"),
        ({"assigned": {"a/b": "tset"}}, r"a/b has the part 'tset'; expected one of \['train'"),
        ({"sentences": "apart"}, r"must be disjoint or report, found 'apart'"),
        ({"max_left_out_fraction": 1.0}, r"from 0 to less than 1, found 1\.0"),
    ],
)
def test_params_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(PARAMS, **change)


def utterance_of(speaker, sentence):
    return utterance(speaker, 0, normalized=sentence)


def test_what_is_tested_is_left_out_of_training_and_validation():
    parts = {
        "train": [
            utterance_of("c/a", "one"),
            utterance_of("c/b", "two"),
            utterance_of("c/c", "three"),
        ],
        "valid": [utterance_of("c/d", "two"), utterance_of("c/e", "four")],
        "test": [
            utterance_of("c/f", "one"),
            utterance_of("c/g", "four"),
            utterance_of("c/h", "five"),
        ],
    }
    parts["valid"].append(utterance_of("c/i", "six"))
    retained, left = without_known_sentences(parts, replace(PARAMS, max_left_out_fraction=0.5))
    assert {part: [u.normalized for u in rows] for part, rows in retained.items()} == {
        "train": ["three"], "valid": ["two", "six"], "test": ["one", "four", "five"]
    }  # fmt: skip
    assert [row["reason"] for row in left] == [
        "its sentence is in test", "its sentence is in valid", "its sentence is in test"
    ]  # fmt: skip
    assert left[0]["detail"] == f"same sentence as {parts['test'][0].id}"


def test_a_sentence_that_occurs_twice_in_a_part_stays_twice():
    parts = {part: [utterance_of(f"{part}/{n}", f"one of {part}") for n in "ab"] for part in PARTS}
    assert without_known_sentences(parts, PARAMS) == (parts, [])


def test_a_corpus_that_does_not_allow_it_is_an_error_that_names_it():
    rows = [utterance_of(f"digits/s{n}", "zero") for n in range(9)] + corpus(9)
    with pytest.raises(
        ValueError,
        match=r"of 27 utterances would be left out \(\d of digits\), more .* in split\.same_s",
    ):
        without_known_sentences(divide(rows), PARAMS)


def test_a_corpus_whose_sentences_may_be_shared_keeps_everything():
    parts = divide([utterance_of(f"digits/s{n}", "zero") for n in range(9)] + corpus(9))
    parts["train"].append(utterance_of("c/x", "zero"))
    parts["test"].append(utterance_of("c/y", "zero"))
    params = replace(PARAMS, same_sentences=("digits",))
    retained, left = without_known_sentences(parts, params)
    assert [row["id"] for row in left] == [parts["train"][-1].id]
    assert sum(map(len, retained.values())) == 9 + 18 + 1


def write_speakers(path, *rows):
    path.write_text("speaker,part\n" + "".join(f"{row}\n" for row in rows))
    return path


def test_a_table_gives_parts_and_leaves_other_corpora_alone(tmp_path):
    table = read_parts(write_speakers(tmp_path / "t.csv", "c/s1,test", "gone/x,train"), ["c"])
    assert table == {"c/s1": "test"}
    assert part_by_speaker(divide(corpus(9), table=table))["c/s1"] == "test"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("c/s1,tset",), r"t\.csv:2: c/s1 has the part 'tset'; expected one of \['train'"),
        (("c/s1,test", "c/s1,train"), r"t\.csv:3: speaker 'c/s1' is already on line 2"),
    ],
)
def test_a_table_that_makes_no_sense_is_an_error_with_its_line(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        read_parts(write_speakers(tmp_path / "t.csv", *rows), ["c"])


def test_an_unknown_name_in_the_table_is_an_error():
    with pytest.raises(ValueError, match="the table of speakers: 'c/s33' is not a speaker; close"):
        divide(corpus(9), table={"c/s33": "test"})


def test_table_and_params_that_disagree_are_an_error():
    with pytest.raises(ValueError, match=r"c/s1 is in test by split\.assigned and in train by the"):
        divide(corpus(9), assign(c_s1="test"), table={"c/s1": "train"})


def test_what_is_written_can_be_kept_as_the_table(tmp_path):
    rows = corpus(12)
    assignments = assign_splits(speaker_groups(rows, {}), PARAMS, {})
    written = stage.speaker_rows(assignments, split(rows, assignments))
    write_table(tmp_path / "s.csv", stage.SPEAKER_COLUMNS, written)
    table = read_parts(tmp_path / "s.csv", ["c"])
    other = divide(rows, replace(PARAMS, salt="another"), table=table)
    assert part_by_speaker(other) == part_by_speaker(divide(rows))


def test_the_command_line_writes_manifests_and_tables(tmp_path, monkeypatch, capsys):
    rows = corpus(30)
    rows[-2] = replace(rows[-2], normalized=rows[0].normalized)  # by s29, and by s0, who is tested
    write(tmp_path / "t.jsonl", rows[:-1])
    write_table(tmp_path / "v.csv", ("id", "parent"), [{"id": rows[2].id, "parent": rows[5].id}])
    write_speakers(tmp_path / "table.csv", "c/s29,train")
    (tmp_path / "params.yaml").write_text(
        "split: {salt: a, valid_fraction: 0.2, test_fraction: 0.3, assigned: {c/s0: test}, "
        "sentences: disjoint, same_sentences: [], max_left_out_fraction: 0.1, held_out: ''}\n"
    )
    monkeypatch.chdir(tmp_path)
    options = ["--speakers", "s.csv", "--left-out", "l.csv", "--table", "table.csv"]
    names = ["t.jsonl", "v.csv", "a.jsonl", "b.jsonl", "c.jsonl"]
    monkeypatch.setattr("sys.argv", ["split", *names, *options])
    stage.main()
    assert sum(len(read(tmp_path / f"{part}.jsonl")) for part in "abc") == 58
    assert "c/s0" in {u.speaker for u in read(tmp_path / "c.jsonl")}
    speakers = {row["speaker"]: row for row in read_table(tmp_path / "s.csv", ("why",))}
    assert speakers["c/s0"]["why"] == "assigned"
    assert (speakers["c/s29"]["why"], speakers["c/s29"]["utterances"]) == ("table", "0")
    assert speakers["c/s1"]["part"] == speakers["c/s2"]["part"]
    assert speakers["c/s2"]["together"] == "c/s1"
    assert speakers["c/s2"]["ties"] == f"clip {rows[5].id}"
    (left,) = read_table(tmp_path / "l.csv", stage.LEFT_OUT_COLUMNS)
    assert left["id"] == rows[-2].id
    assert "1 left out for their sentence; 0 sp" in capsys.readouterr().out
