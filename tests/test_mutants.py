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


def test_every_area_has_ten_mutants_and_all_together_have_sixty():
    areas = Counter(mutant.area for mutant in MUTANTS)
    assert set(areas) == set(mutants.AREAS)
    assert min(areas.values()) >= 10
    assert len(MUTANTS) >= 60


def test_no_two_mutants_are_the_same_change():
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new for mutant in MUTANTS)


def test_the_page_has_every_mutant_as_it_is_listed():
    lines = mutants.PAGE.read_text(encoding="utf-8").splitlines()
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    for mutant in MUTANTS:
        assert mutants.change(mutant) in rows[mutant.id]


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
