"""The list of mutants fits the code, so that `python tests/mutate.py` can run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import mutants
import mutate
import pytest

MUTANTS = mutants.read()


def test_every_mutant_still_fits_the_code_and_its_test_files_exist():
    mutants.check(MUTANTS, mutants.TOP, mutants.TOP)


def test_every_area_has_three_mutants_and_all_together_have_a_hundred_and_forty():
    areas = Counter(mutant.area for mutant in MUTANTS)
    assert set(areas) == set(mutants.AREAS)
    assert min(areas.values()) >= 3
    assert len(MUTANTS) >= 140


def test_no_two_mutants_are_the_same_change():
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new for mutant in MUTANTS)


def test_the_page_has_every_mutant_as_it_is_listed():
    text = mutants.PAGE.read_text(encoding="utf-8")
    assert mutants.new_ids(MUTANTS, text) == []
    rows = mutants.rows_of(text)
    assert rows.keys() - {"id"} == {mutant.id for mutant in MUTANTS}
    assert mutants.page(MUTANTS, rows) == text


def test_rows_of_mutants_that_are_not_run_stay():
    text = mutants.PAGE.read_text(encoding="utf-8")
    first = MUTANTS[0]
    alive = mutants.Result(first.id, mutants.SURVIVED, "no test fails", 3.0)
    rows = mutants.kept_rows(MUTANTS, [first], text)
    written = mutants.page(MUTANTS, rows | {first.id: mutants.row(first, alive)})
    changed = [pair for pair in zip(text.splitlines(), written.splitlines(), strict=True)
               if pair[0] != pair[1]]  # fmt: skip
    assert len(changed) == 2  # its row, and the number of killed ones
    assert f"{len(MUTANTS) - 1} of them are killed" in changed[0][1]
    assert "| **survives** | 3 |" in changed[1][1]


@pytest.mark.parametrize("change", [{"id": "text-other"}, {"new": "another change"}])
def test_a_mutant_without_a_row_of_its_change_is_new_and_has_to_be_run(change):
    text = mutants.PAGE.read_text(encoding="utf-8")
    listed = [replace(MUTANTS[0], **change), *MUTANTS[1:]]
    assert mutants.new_ids(listed, text) == [listed[0].id]
    assert mutants.kept_rows(listed, [listed[0]], text).keys() == {m.id for m in MUTANTS[1:]}
    with pytest.raises(ValueError, match=rf"no row of the change {listed[0].id}; run --new"):
        mutants.kept_rows(listed, [MUTANTS[1]], text)


def test_only_the_chosen_mutants_are_run():
    assert mutate.chosen_of(MUTANTS, None) == MUTANTS
    assert mutate.chosen_of(MUTANTS, []) == []
    assert mutate.chosen_of(MUTANTS, [MUTANTS[3].id]) == [MUTANTS[3]]
    with pytest.raises(ValueError, match="there is no mutant 'a-gone'"):
        mutate.chosen_of(MUTANTS, ["a-gone"])


def test_scripts_and_headers_are_changed_without_the_doctests_of_python():
    script = replace(MUTANTS[0], file="a.js", old="a < b", new="a <= b ?", tests=("t.py",))
    assert script.applied("if (a < b) return;") == "if (a <= b ?) return;"
    assert script.run_files == ("t.py",)
    assert replace(script, file="a.py").run_files == ("t.py", "a.py")


def test_a_mutant_that_does_not_fit_and_a_test_file_that_moved_are_errors():
    mutant = MUTANTS[0]
    wrong = [
        replace(mutant, id="a-gone", old="this text is nowhere"),
        replace(mutant, id="a-twice", old="return"),
        replace(mutant, id="a-broken", new="("),
        replace(mutant, id="a-moved", tests=("tests/test_moved.py",)),
    ]
    with pytest.raises(ValueError, match=r"a-gone: .* has the old text 0 times") as caught:
        mutants.check(wrong, mutants.TOP, mutants.TOP)
    missing, twice, broken, moved = str(caught.value).splitlines()
    assert "expected 1" in missing
    assert twice.startswith("a-twice: ")
    assert broken.startswith("a-broken: the change is not valid Python: ")
    assert moved.startswith("a-moved: there is no tests/test_moved.py in ")


def test_an_id_that_occurs_twice_is_an_error(tmp_path):
    text = mutants.LIST.read_text(encoding="utf-8")
    begin, end = text.index("[[mutant]]"), text.index("[[mutant]]", text.index("[[mutant]]") + 1)
    path = tmp_path / "mutants.toml"
    path.write_text(text[begin:end] * 2, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"{MUTANTS[0].id} occur more than once"):
        mutants.read(path)


def test_a_mutant_that_was_killed_before_and_survives_is_an_error(capsys):
    listed, other = replace(MUTANTS[0], before="a test"), replace(MUTANTS[1], before="")
    killed = [mutants.Result(m.id, mutants.KILLED, "a test", 1.0) for m in (listed, other)]
    alive = [mutants.Result(m.id, mutants.SURVIVED, "no test fails", 1.0) for m in (listed, other)]
    assert mutate.verdict([listed, other], killed) == 0
    assert mutate.verdict([listed, other], [killed[0], alive[1]]) == 0
    assert f"these survive, as before: {other.id}" in capsys.readouterr().out
    assert mutate.verdict([listed, other], [alive[0], killed[1]]) == 1
    assert f"killed before and survive: {listed.id}" in capsys.readouterr().err
