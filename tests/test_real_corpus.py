"""Real recordings go the whole way from a folder to audited parts."""

from __future__ import annotations

import csv
import shutil

from corpus_maker import shared_corpus

from stages.common.corpora import INDEX_COLUMNS
from stages.common.files import read_json
from stages.common.tables import read_table, write_table
from stages.corpus import audit, dedupe, inventory, normalize, split
from stages.tools import add_corpus

ASSIGNED = {"fsdd/jackson": "valid", "fsdd/george": "test", "fsdd/theo": "test"}
TAKE = "3"  # of 50: ten digits of six speakers


def test_spoken_digits_become_parts_without_a_leak(tmp_path, monkeypatch):
    raw, at = add_digits(tmp_path, monkeypatch), tmp_path.joinpath
    inventory.run(
        raw, at("i.csv"), inventory.InventoryParams(("fsdd",), "refuse", 0.1, 30.0, -60.0),
        1,
    )  # fmt: skip
    dedupe.run(at("i.csv"), at("a.csv"), at("q.csv"))
    refusing = normalize.NormalizeParams(0.0)
    normalize.run(at("a.csv"), raw, at("t.jsonl"), at("r.csv"), refusing)
    write_index(at("a.csv"), at("x.csv"))
    parts = {part: at(f"{part}.jsonl") for part in split.PARTS}
    split.run(at("t.jsonl"), at("x.csv"), parts, split.SplitParams("a", 0.0, 0.0, ASSIGNED))
    tables = audit.TablePaths(at("i.csv"), at("q.csv"), at("r.csv"), at("x.csv"))
    audit.run(tables, parts, at("report.json"), audit.AuditParams("report", 2, 1, 1))
    report = read_json(at("report.json"))
    assert {part: n["speakers"] for part, n in report["parts"].items()} == {
        "train": 3, "valid": 1, "test": 2
    }  # fmt: skip
    assert (report["files"], report["accepted"]) == (60, 60)
    assert report["leakage"]["sentences"] == 10


def add_digits(tmp_path, monkeypatch):
    """Add sixty of the recordings with the tool; return data/raw."""
    source, folder = shared_corpus("fsdd"), tmp_path / "from"
    with (source / "labels.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["take"] == TAKE]
    for row in rows:
        (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / row["path"], folder / row["path"])
    write_table(folder / "labels.csv", list(rows[0]), rows)
    options = ["--name", "fsdd", "--licence", "CC BY-SA 4.0", "--no-dvc"]
    monkeypatch.setattr(
        "sys.argv", ["add_corpus", str(folder), *options, "--raw", str(tmp_path / "raw")]
    )
    add_corpus.main()
    return tmp_path / "raw"


def write_index(accepted, index):
    """Stand in for preprocessing, which this test is not about."""
    rows = [
        {"id": row["id"], "audio": f"shard-00.tar/{row['id']}.flac", "problem": "",
         "duration_s": row["duration_s"], "offset_s": "0.0000"}
        for row in read_table(accepted, ("id", "duration_s"))
    ]  # fmt: skip
    write_table(index, INDEX_COLUMNS, rows)
