"""The fingerprint changes with the code that a module runs, and with no other."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from dvc_yaml import TOP, code, source
from dvc_yaml import closure as declared_closure

from fonoteka.compute import source_fingerprint as fingerprints
from fonoteka.compute.source_fingerprint import _closure, source_fingerprint

STAGE = "stages.evaluation.compare_heads"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A copy of the project's code, which the fingerprint is of."""
    ignored = shutil.ignore_patterns("__pycache__")
    for top in ("fonoteka", "stages"):
        shutil.copytree(TOP / top, tmp_path / top, ignore=ignored)
    monkeypatch.setattr(fingerprints, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    fingerprints._file.cache_clear()
    fingerprints._imports.cache_clear()


def fingerprint(*words, **options):
    forget()
    return source_fingerprint(*words, **options)


def test_it_is_of_all_modules_that_a_stage_declares():
    files = set(_closure((STAGE,)).values())
    assert files >= {source(name) for name in declared_closure(STAGE)}
    assert code(STAGE)  # the same closure is what dvc.yaml lists


def test_an_import_inside_a_function_counts(root):
    before = fingerprint(STAGE)
    path = root / "fonoteka/late.py"
    path.write_text("")
    stage = root / "stages/evaluation/compare_heads.py"
    stage.write_text(
        stage.read_text() + "\n\ndef late():\n    from fonoteka import (\n        late\n    )\n"
    )
    changed = fingerprint(STAGE)
    path.write_text("x = 1\n")
    assert len({before, changed, fingerprint(STAGE)}) == 3


def test_code_that_is_not_imported_does_not_count(root):
    before = fingerprint(STAGE)
    path = root / "fonoteka/hub/publish.py"
    path.write_text(path.read_text() + "\n")
    assert fingerprint(STAGE) == before


def test_the_folder_of_a_clone_does_not_count(root, monkeypatch):
    copied = fingerprint(STAGE)
    monkeypatch.setattr(fingerprints, "ROOT", TOP)
    assert fingerprint(STAGE) == copied


def test_the_kind_of_processor_counts_unless_results_are_equal_anywhere(monkeypatch):
    names = [fingerprint(STAGE), fingerprint(STAGE, anywhere=True)]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert fingerprint(STAGE) not in names
    assert fingerprint(STAGE, anywhere=True) == names[1]


def test_the_version_of_a_library_counts(monkeypatch):
    before = fingerprint(STAGE)
    monkeypatch.setattr(fingerprints, "version", lambda name: "99.9")
    assert fingerprint(STAGE) != before


def test_it_does_not_depend_on_what_else_is_imported():
    code = "import {}\nfrom fonoteka.compute.source_fingerprint import source_fingerprint as f\n"
    values = {
        subprocess.run(
            [sys.executable, "-c", code.format(module) + f"print(f('{STAGE}'))"],
            cwd=TOP, check=True, capture_output=True, text=True,
        ).stdout
        for module in ("json", "fonoteka.manifest")
    }  # fmt: skip
    assert values == {f"{fingerprint(STAGE)}\n"}


def test_without_a_name_it_is_of_the_imported_modules():
    assert "fonoteka.compute.source_fingerprint" in _closure(())
    assert fingerprint() != fingerprint(STAGE)
