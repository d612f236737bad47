"""Real recordings go the whole way from a folder to audited parts, as dvc.yaml has it."""

from __future__ import annotations

import csv
import importlib
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from command_line import run_fonoteka
from corpus_maker import shared_corpus
from dvc_yaml import TOP, pipeline, program

from fonoteka.core.files import read_json
from fonoteka.tables import read_table, write_table

STAGES = (
    "inventory", "dedupe", "normalize", "preprocess", "manifest", "split", "speaker_encoder",
    "embed_voices", "audit",
)  # fmt: skip
ASSIGNED = {"fsdd/jackson": "valid", "fsdd/george": "test", "fsdd/theo": "test"}
TAKE = "3"  # of 50: ten digits of six speakers
INVENTORY = {
    "corpora": ["fsdd"], "untranscribed": "refuse", "min_s": 0.1, "max_s": 30.0,
    "max_bytes": 1 << 26, "max_channels": 2, "max_decode_s": 20.0, "memory_mib": 512,
    "silent_below_dbfs": -60.0, "max_clipped_fraction": 0.01,
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Run the stages that lead to the parts in a folder of their own, and return it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return build(tmp_path_factory.mktemp("real"), monkeypatch)


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    add_digits(tmp_path, monkeypatch)
    params = yaml.safe_load((TOP / "params.yaml").read_text(encoding="utf-8"))
    params["inventory"] = INVENTORY
    same = {"same_sentences": ["fsdd"]}  # all speakers read the same ten words
    params["split"] |= {"assigned": ASSIGNED, "valid_fraction": 0.0, "test_fraction": 0.0} | same
    params["audit"] |= same
    params["speaker_encoder"]["source"] = "untrained"  # the wheel is not needed for the mechanics
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copyfile(TOP / "data/speakers.csv", tmp_path / "data/speakers.csv")
    monkeypatch.chdir(tmp_path)
    for name in STAGES:
        _, _, module, *arguments = shlex.split(pipeline()[name]["cmd"])
        monkeypatch.setattr("sys.argv", [module, *arguments])
        importlib.import_module(program(module)).main()
    return tmp_path


def test_spoken_digits_become_parts_without_a_leak(built):
    report = read_json(built / "reports/corpus.json")
    assert {part: n["speakers"] for part, n in report["parts"].items()} == {
        "train": 3, "valid": 1, "test": 2
    }  # fmt: skip
    assert report["files"] == 60
    assert report["accepted"] > 55
    leaks = report["leakage"]
    assert (leaks["speakers"], leaks["clips"], leaks["sentences"]) == (0, 0, 10)


def test_what_the_inventory_measured_of_real_speech_is_plausible(built):
    rows = read_table(built / "data/corpus/inventory.csv", ("problem",))
    assert {row["problem"] for row in rows} == {""}
    measured = [float(row["snr_db"]) for row in rows if row["snr_db"]]
    assert len(measured) > 50
    assert all(-70 < float(row["level_dbfs"]) < float(row["peak_dbfs"]) <= 0 for row in rows)
    assert all(0 < snr_db < 101 for snr_db in measured)


def add_digits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add sixty of the recordings with the tool."""
    source, recordings = shared_corpus("fsdd"), folder / "from"
    with (source / "labels.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["take"] == TAKE]
    for row in rows:
        (recordings / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / row["path"], recordings / row["path"])
    write_table(recordings / "labels.csv", list(rows[0]), rows)
    options = ["--name", "fsdd", "--licence", "CC BY-SA 4.0", "--no-dvc"]
    raw = str(folder / "data" / "raw")
    run_fonoteka("corpus", "add", str(recordings), *options, "--raw", raw)
