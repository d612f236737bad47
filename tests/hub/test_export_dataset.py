"""The exported data have only clips that may be passed on, and name no person."""

from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
import soundfile
import webdataset
from hub_maker import project, require_torchcodec
from huggingface_hub import metadata_load

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json_lines
from fonoteka.hub import dataset_layouts
from fonoteka.hub.clip_selection import FIELDS
from fonoteka.hub.export import run
from fonoteka.hub.hub_folder import DATASET, open_hub_folder
from fonoteka.shards import read_clips

NAMES = ("zora", "ana", "ivo")


@pytest.fixture
def top(tmp_path, monkeypatch):
    folder = project(tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def exported(top, form="audiofolder"):
    run((), top / "hub", dataset=True, form=form)
    return top / "hub" / "dataset"


def rows_of(folder, split):
    return list(read_json_lines(folder / split / "metadata.jsonl"))


def test_each_clip_has_its_file_and_its_row(top):
    folder = exported(top)
    assert open_hub_folder(folder).kind == DATASET
    rows = [row for split in ("train", "test") for row in rows_of(folder, split)]
    assert all(tuple(row) == FIELDS for row in rows)
    assert [(row["file_name"], row["licence"], row["speaker"]) for row in rows] == [
        ("mine-000003.flac", "CC BY 4.0", "mine/speaker 003"),
        ("embedded-000001.flac", "CC0", "embedded/Andy"),
        ("mine-000002.flac", "CC0", "mine/speaker 002"),
    ]
    assert {path.name for path in (folder / "train").iterdir()} == {
        "metadata.jsonl", "mine-000003.flac",
    }  # fmt: skip


def test_the_samples_are_those_of_the_prepared_audio(top):
    folder = exported(top)
    ((_, expected),) = read_clips(top / "data/audio", {"x": "shard-00.tar/mine-zora-0a.flac"})
    samples, rate_hz = soundfile.read(folder / "train/mine-000003.flac", dtype="float32")
    assert rate_hz == 16_000
    assert np.array_equal(samples, expected)
    assert rows_of(folder, "train")[0]["seconds"] == pytest.approx(len(samples) / rate_hz)


def test_clips_under_other_licences_are_left_out_and_counted(top, capsys):
    folder = exported(top)
    assert not (folder / "valid").exists()
    printed = capsys.readouterr().out
    assert "left out: 1 clips of mine: hub.licence_ids does not list 'all rights reserved'" in (
        printed
    )
    assert f"{folder}: 3 clips in the layout audiofolder" in printed
    card = (folder / "README.md").read_text(encoding="utf-8")
    left_out = card.partition("## Left out\n")[2].partition("\n## ")[0]
    assert [cell.strip() for cell in left_out.splitlines()[3].split("|")[1:-1]] == [
        "mine", "all rights reserved", "not a licence that is known to allow passing on", "1",
    ]  # fmt: skip


def test_a_clip_without_a_licence_is_left_out(top):
    path = top / "data/splits/valid.jsonl"
    text = path.read_text(encoding="utf-8")
    assert "all rights reserved" in text
    path.write_text(text.replace("all rights reserved", ""), encoding="utf-8")
    assert not (exported(top) / "valid").exists()


@pytest.mark.parametrize("form", ["audiofolder", "webdataset"])
def test_no_file_contains_the_name_of_a_person(top, form):
    folder = exported(top, form)
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        for name in NAMES:
            assert name not in path.name
            # The text of a clip of the maker is the number of its speaker, without a name.
            assert name.encode() not in data.lower(), path


def test_the_card_states_licences_splits_and_sources(top):
    folder = exported(top)
    data = metadata_load(folder / "README.md")
    assert data["license"] == ["cc-by-4.0", "cc0-1.0"]
    assert data["language"] == ["hr"]
    assert data["size_categories"] == "n<1K"
    assert data["task_categories"] == ["automatic-speech-recognition"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    splits = {
        cells[0]: cells[1:]
        for line in card.partition("## Splits\n")[2].partition("\n## ")[0].splitlines()[3:]
        if (cells := [cell.strip() for cell in line.split("|")[1:-1]])
    }
    assert splits == {
        "train": ["1", "0.00", "1", "hr"], "valid": ["0", "0.00", "0", "-"],
        "test": ["2", "0.00", "2", "hr"],
    }  # fmt: skip
    assert "https://example.org/mine" in card
    assert "recorded" in card


def test_data_without_a_clip_that_may_be_passed_on_are_refused(top):
    text = (top / "params.yaml").read_text(encoding="utf-8")
    for licence in ('"CC0*": cc0-1.0', "CC BY 4.0: cc-by-4.0"):
        text = text.replace(f"    {licence}\n", "")
    (top / "params.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"no clip may be passed on: hub\.licence_ids"):
        exported(top)
    assert not (top / "hub").exists()


def test_a_missing_shard_leaves_no_folder(top):
    (top / "data/audio/shard-00.tar").unlink()
    with pytest.raises(UserError, match=r"shard-00\.tar: no such shard"):
        exported(top)
    assert not (top / "hub/dataset").exists()


@pytest.mark.parametrize("size", [0, 100, 700])
def test_a_cut_shard_leaves_no_folder(top, size):
    path = top / "data/audio/shard-00.tar"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"shard-00\.tar: damaged"):
        exported(top)
    assert not (top / "hub/dataset").exists()


def test_a_missing_clip_leaves_no_folder(top):
    path = top / "data/audio/shard-00.tar"
    with tarfile.open(path) as tar:
        others = [(m, tar.extractfile(m).read()) for m in tar if "ivo" not in m.name]
    with tarfile.open(path, "w") as tar:
        for member, data in others:
            tar.addfile(member, io.BytesIO(data))
    with pytest.raises(UserError, match=r"1 clips are missing, for example mine-ivo-0a\.flac"):
        exported(top)
    assert not (top / "hub/dataset").exists()


def test_a_folder_with_other_files_is_not_replaced(top):
    folder = exported(top)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="dataset: not empty, and it would be replaced"):
        exported(top)
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_unknown_layout_is_refused(top):
    with pytest.raises(UserError, match="--format 'csv': expected one of audiofolder, webdataset"):
        exported(top, "csv")


# webdataset leaves the last shard open.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_shards_have_each_clip_beside_its_row(top, monkeypatch):
    monkeypatch.setattr(dataset_layouts, "SHARD_CLIPS", 1)
    folder = exported(top, "webdataset")
    assert sorted(path.name for path in (folder / "test").iterdir()) == [
        "shard-0000.tar", "shard-0001.tar",
    ]  # fmt: skip
    shards = [str(path) for path in sorted((folder / "test").iterdir())]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["embedded-000001", "mine-000002"]
    row = json.loads(samples[1]["json"])
    assert row["speaker"] == "mine/speaker 002"
    assert row["file_name"] == "mine-000002.flac"
    ((_, expected),) = read_clips(top / "data/audio", {"x": "shard-00.tar/mine-ivo-0a.flac"})
    samples_of_shard, _ = soundfile.read(io.BytesIO(samples[1]["flac"]), dtype="float32")
    assert np.array_equal(samples_of_shard, expected)


@pytest.mark.parametrize(("form", "column"), [("audiofolder", "audio"), ("webdataset", "flac")])
def test_datasets_reads_both_layouts_offline(top, tmp_path, monkeypatch, form, column):
    require_torchcodec()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Audio, load_dataset

    folder = exported(top, form)
    data = load_dataset(form, data_dir=str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in data.items()} == {"train": 1, "test": 2}
    (row,) = data["train"].cast_column(column, Audio(decode=False))
    fields = row if form == "audiofolder" else row["json"]
    assert fields["speaker"] == "mine/speaker 003"
    assert fields["phones"] == "d a"
    audio = row[column]["bytes"] or (folder / "train/mine-000003.flac").read_bytes()
    samples, _ = soundfile.read(io.BytesIO(audio), dtype="float32")
    ((_, expected),) = read_clips(top / "data/audio", {"x": "shard-00.tar/mine-zora-0a.flac"})
    assert np.array_equal(samples, expected)
