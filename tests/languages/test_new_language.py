"""The change that docs/new-language.md shows makes the stages accept a described language."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from dvc_yaml import TOP

from fonoteka.tables import read_table

DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLES = "data/corpus/"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return a copy of the code with the change, and two sentences of each of two voices."""
    folder = tmp_path_factory.mktemp("connected")
    for name in ("fonoteka", "stages"):
        shutil.copytree(TOP / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    params = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    params["inventory"]["corpora"] = ["mk_espeak"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    (change,) = DIFF.findall((TOP / "docs/new-language.md").read_text(encoding="utf-8"))
    # Outside a repository git applies a diff to the files of the current folder.
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(
        ["git", "apply", "-"], cwd=folder, env=environment, input=change, text=True, check=True
    )
    run(folder, "fonoteka", "language", "synthesize", "mk", "data/raw/mk_espeak",
        "--voices", "f2,m3", "--clips", "1")  # fmt: skip
    return folder


def run(folder, module, *words):
    environment = os.environ | {"PYTHONPATH": str(folder), "FONOTEKA_LOGS": "off"}
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_description_is_still_right_with_its_phones_in_the_inventory(copy):
    assert "0 new phones" in run(copy, "fonoteka", "language", "check", "mk")


def test_a_synthetic_clip_is_an_utterance_with_phone_times(copy):
    for name in ("corpus", "../reports"):
        (copy / "data" / name).mkdir(exist_ok=True)
    tables = [TABLES + name for name in ("inventory.csv", "prints.npy", "phones.jsonl")]
    run(copy, "stages.corpus.inventory", "data/raw", *tables, TABLES + "corpora.json")
    assert [row["problem"] for row in read_table(copy / tables[0], ["problem"])] == ["", ""]
    accepted = [TABLES + name for name in ("accepted.csv", "quarantined.csv", "duplicates.csv")]
    run(copy, "stages.corpus.dedupe", *tables[:2], "data/raw", *accepted, "reports/dup.json")
    names = ("transcripts.jsonl", "refused.csv", "norm")
    run(copy, "stages.corpus.normalize", accepted[0], tables[2],
        *(TABLES + name for name in names), "reports/text.json")  # fmt: skip
    lines = (copy / TABLES / "transcripts.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        assert row["language"] == "mk"
        assert set(row["normalized"]) <= set("абвгдѓежзѕијклљмнњопрстќуфхцчџш ")
        assert len(row["phone_times_s"]) == len(row["phones"])
    assert len(lines) == 2


def test_the_stages_read_a_text_as_the_description_does(copy):
    program = (
        "from fonoteka.languages.description import described\n"
        "from fonoteka.text.normalizer import normalize, phones_of, LANGUAGES\n"
        "from fonoteka.g2p.visemes import VISEME_OF\n"
        "from fonoteka.phones import INVENTORY, NUMBER\n"
        "mk = described('mk')\n"
        "assert [normalize(t, 'mk') for t in mk.texts] == [*mk.texts.values()]\n"
        "for word, phones in mk.examples.items():\n"
        "    assert phones_of(word, 'mk') == tuple(phones.split()), word\n"
        "assert set(VISEME_OF) == set(INVENTORY)\n"
        "print(NUMBER['a'], len(INVENTORY), normalize('5 km', 'hr'))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    from fonoteka.phones import INVENTORY, NUMBER

    # Labels of trained models keep their numbers.
    assert done.stdout.split() == [str(NUMBER["a"]), str(len(INVENTORY) + 3), "pet", "kilometara"]
