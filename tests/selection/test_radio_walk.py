"""The data of `docs/radio_walk.py`: what each step may know."""

from __future__ import annotations

import csv
import hashlib
import urllib.request
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from dvc_yaml import TOP

from fonoteka.core.files import write_json

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@pytest.fixture(scope="module")
def walk():
    """Return the program as a module."""
    spec = spec_from_file_location("radio_walk", TOP / "docs/radio_walk.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def texts(walk, tmp_path, monkeypatch):
    """Return the texts of the radio, after the folders of a walk were written."""
    monkeypatch.chdir(tmp_path)
    fsdd = tmp_path / "fsdd"
    fsdd.mkdir()
    for speaker in SPEAKERS:
        for digit in range(10):
            for take in (0, 40):  # the second is beyond what a walk takes
                (fsdd / f"{digit}_{speaker}_{take}.wav").write_text(f"{speaker} {digit} {take}")
    return walk.write_folders(fsdd)


def rows(folder, name="metadata.csv"):
    with Path("data/walk", folder, name).open(encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_the_radio_has_no_texts_and_its_speakers_are_transcribed_nowhere(walk, texts):
    items = rows("web", "manifest.csv")
    assert len(items) == 10 * len(walk.RADIO) == len(texts)
    assert {*items[0]} == {"url", "licence", "speaker", "language"}
    assert {item["speaker"] for item in items} == {*walk.RADIO}
    assert {row["speaker"] for row in rows("digits")} == {*walk.PARTS}
    assert not {*walk.PARTS} & {*walk.RADIO}


def test_a_threshold_is_chosen_on_the_validation_voice_alone(walk, texts):
    assert {walk.PARTS[row["speaker"]] for row in rows("valid")} == {"valid"}
    assert {*rows("valid")[0]} == {"path", "speaker", "text"}


def test_the_answers_are_the_true_texts_of_the_recordings(walk, texts):
    path = Path("data/walk/web/7_nicolas_0.wav")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    data = {"audio": "/a.wav", "clip": "radio-a", "sha256": digest, "seconds": 0.5}
    write_json(Path("queue.json"), [{"data": data}])
    (answer,) = walk.answers(Path("queue.json"), texts)
    assert answer["data"] == data
    assert answer["annotations"][0]["result"][0]["value"]["text"] == ["seven"]


def test_the_folder_is_served_until_the_block_ends(walk, texts):
    with (
        walk.served(Path("data/walk/web")) as address,
        urllib.request.urlopen(f"{address}/manifest.csv") as reply,
    ):
        assert reply.read() == Path("data/walk/web/manifest.csv").read_bytes()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}/manifest.csv")


def test_the_profile_of_a_step_keeps_the_voices_apart(walk, texts):
    (Path("fonoteka/pipeline/profiles")).mkdir(parents=True)
    source = TOP / "fonoteka/pipeline/profiles/fsdd.yaml"
    Path("fonoteka/pipeline/profiles/fsdd.yaml").write_text(source.read_text(encoding="utf-8"))
    walk.write_profile(["digits", "pseudo"])
    profile = walk.yaml.safe_load(Path("data/walk/profile.yaml").read_text(encoding="utf-8"))
    assert profile["inventory"] == {"corpora": ["digits", "pseudo"]}
    assert profile["split"]["assigned"]["pseudo/nicolas"] == "train"
    assert profile["split"]["assigned"]["digits/george"] == "test"
    assert "digits/nicolas" not in profile["split"]["assigned"]
