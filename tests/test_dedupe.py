"""Of equal sounds one stays, and what leaves says why."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.corpora import INVENTORY_COLUMNS
from stages.common.tables import write_table
from stages.corpus import dedupe
from stages.corpus.dedupe import part_rows, run


def row(name, pcm, problem="", **more):
    return dict.fromkeys(INVENTORY_COLUMNS, "") | {
        "id": name, "pcm_sha256": pcm, "problem": problem, **more
    }  # fmt: skip


def test_the_first_by_id_stays_whatever_the_order():
    rows = [row("c", "1"), row("a", "1"), row("b", "2")]
    accepted, quarantined = part_rows(rows)
    assert [r["id"] for r in accepted] == ["a", "b"]
    assert [(r["id"], r["problem"], r["duplicate_of"]) for r in quarantined] == [
        ("c", "duplicate", "a")
    ]


def test_a_file_with_a_problem_leaves_with_it_and_is_nobodys_original():
    accepted, quarantined = part_rows([row("a", "1", "silent"), row("b", "1")])
    assert [r["id"] for r in accepted] == ["b"]
    assert [(r["problem"], r["duplicate_of"]) for r in quarantined] == [("silent", "")]


def test_equal_sounds_with_unequal_texts_are_pointed_out():
    _, quarantined = part_rows([row("a", "1", text="da"), row("b", "1", text="ne")])
    assert quarantined[0]["detail"] == "text 'ne', there 'da'"


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.tuples(st.sampled_from("123"), st.sampled_from(["", "x"]))
    )
)
def test_every_file_is_in_one_table_and_no_sound_is_accepted_twice(files):
    accepted, quarantined = part_rows([row(name, *rest) for name, rest in files.items()])
    assert sorted(r["id"] for r in accepted + quarantined) == sorted(files)
    sounds = [r["pcm_sha256"] for r in accepted]
    assert len(sounds) == len(set(sounds))


def test_when_nothing_can_be_used_nothing_is_written(tmp_path):
    write_table(tmp_path / "i.csv", INVENTORY_COLUMNS, [row("a", "", "empty")])
    with pytest.raises(ValueError, match=r"none of 1 files can be used: \{'empty': 1\}; add rec"):
        run(tmp_path / "i.csv", tmp_path / "a.csv", tmp_path / "q.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i.csv"]


def test_the_command_line_writes_both_tables(tmp_path, monkeypatch):
    write_table(tmp_path / "i.csv", INVENTORY_COLUMNS, [row("a", "1"), row("b", "1")])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["dedupe", "i.csv", "a.csv", "q.csv"])
    dedupe.main()
    with (tmp_path / "q.csv").open(newline="") as file:
        assert [r["duplicate_of"] for r in csv.DictReader(file)] == ["a"]
    assert (tmp_path / "a.csv").read_text().count("\n") == 2
