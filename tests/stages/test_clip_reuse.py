"""A clip that has not changed is not computed again, and no byte of an output shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from clip_maker import CHANGED, noise, save_clips
from corpus_maker import make_corpus, tone, write_clip, write_rows
from inventory_maker import PARAMS as INVENTORY
from inventory_maker import outputs
from model_maker import save_encoder

from fonoteka import manifest
from fonoteka.audio.surroundings import Surroundings
from fonoteka.tables import write_table
from stages.corpus import preprocess
from stages.corpus.inventory import file_facts
from stages.corpus.inventory import stage as inventory
from stages.features import embed

PREPARED = preprocess.PreprocessParams(-23.0, 40.0, 0.05, 0.15, shards=3)
EMBEDDED = embed.EmbedParams(1, 2, "changed", Surroundings(0.0, 15.0, 45.0))


def files_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def switch_off(monkeypatch):
    """Let the following runs compute everything."""
    monkeypatch.setenv("FONOTEKA_CACHE", "off")


def counted(monkeypatch, module, name, key):
    """Let a function of a module note its calls, and return the list of the notes."""
    calls, function = [], getattr(module, name)

    def noting(*arguments):
        calls.append(key(*arguments))
        return function(*arguments)

    monkeypatch.setattr(module, name, noting)
    return calls


def take_calls(calls):
    result = sorted(calls)
    calls.clear()
    return result


# preprocess


def prepare_all(folder, clips, params=PREPARED, name="audio"):
    for key in clips:
        path = folder / f"{key}.wav"
        if not path.exists():
            soundfile.write(path, noise(0.4, len(key)), 16_000)
    rows = [{"id": key, "path": f"{key}.wav"} for key in clips]
    write_table(folder / "accepted.csv", ("id", "path"), rows)
    preprocess.run(folder / "accepted.csv", folder, folder / name, params)
    return files_in(folder / name)


@pytest.fixture
def prepared_calls(monkeypatch):
    calls = []

    class Counting(preprocess.PreprocessTask):
        def open(self):
            function = super().open()
            return lambda item: calls.append(item[0]) or function(item)

    monkeypatch.setattr(preprocess, "PreprocessTask", Counting)
    return calls


def test_preprocess_prepares_an_added_clip_alone(prepared_calls, tmp_path, monkeypatch):
    prepare_all(tmp_path, ["a", "bb", "ccc"])
    assert take_calls(prepared_calls) == ["a", "bb", "ccc"]
    added = prepare_all(tmp_path, ["a", "bb", "ccc", "dddd"])
    assert take_calls(prepared_calls) == ["dddd"]
    switch_off(monkeypatch)
    assert prepare_all(tmp_path, ["a", "bb", "ccc", "dddd"], name="new") == added
    assert take_calls(prepared_calls) == ["a", "bb", "ccc", "dddd"]


def test_preprocess_prepares_a_changed_recording_again(prepared_calls, tmp_path):
    prepare_all(tmp_path, ["a", "bb"])
    take_calls(prepared_calls)
    soundfile.write(tmp_path / "a.wav", noise(0.5, 7), 16_000)
    prepare_all(tmp_path, ["a", "bb"])
    assert take_calls(prepared_calls) == ["a"]


@pytest.mark.parametrize(
    ("change", "clips"), [({"level_dbfs": -20.0}, ["a", "bb"]), ({"shards": 2}, [])]
)
def test_preprocess_prepares_all_again_if_a_parameter_of_clips_changes(
    change, clips, prepared_calls, tmp_path
):
    prepare_all(tmp_path, ["a", "bb"])
    take_calls(prepared_calls)
    prepare_all(tmp_path, ["a", "bb"], replace(PREPARED, **change))
    assert take_calls(prepared_calls) == clips


def test_preprocess_prepares_all_again_if_the_code_changes(prepared_calls, tmp_path, monkeypatch):
    prepare_all(tmp_path, ["a", "bb"])
    take_calls(prepared_calls)
    monkeypatch.setattr(preprocess, "source_fingerprint", lambda *_, **__: "other code")
    prepare_all(tmp_path, ["a", "bb"])
    assert take_calls(prepared_calls) == ["a", "bb"]


# inventory


@pytest.fixture
def read_files(tmp_path, monkeypatch):
    """Return a function to the names that workers have read since its last call."""
    notes, function = tmp_path / "read.txt", file_facts.file_facts
    notes.touch()

    def noting(path, has_text, params):
        with notes.open("a") as file:  # workers are processes
            file.write(f"{path.rpartition('/')[2]}\n")
        return function(path, has_text, params)

    def take():
        names = sorted(notes.read_text().split())
        notes.write_text("")
        return names

    monkeypatch.setattr(inventory, "file_facts", noting)
    return take


def inspected(raw, params=INVENTORY):
    out = outputs(raw.parent)
    inventory.run(raw, out, params, 1)
    return [path.read_bytes() for path in (out.inventory, out.prints)]


def test_inventory_reads_an_added_file_alone(read_files, tmp_path, monkeypatch):
    rows = ["a.wav,da,ana,hr", "b.wav,ne,ana,hr"]
    folder = make_corpus(tmp_path / "raw", rows)
    inspected(tmp_path / "raw")
    assert read_files() == ["a.wav", "b.wav"]
    write_clip(folder / "c.wav", tone(hz=300))
    write_rows(folder, [*rows, "c.wav,da,ivo,hr"])
    added = inspected(tmp_path / "raw")
    assert read_files() == ["c.wav"]
    switch_off(monkeypatch)
    assert inspected(tmp_path / "raw") == added
    assert read_files() == ["a.wav", "b.wav", "c.wav"]


def test_inventory_makes_rows_from_the_table_and_not_from_an_earlier_run(read_files, tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    inspected(tmp_path / "raw")
    read_files()
    write_rows(folder, ["a.wav,ne,ivo,sr"])
    assert b"ne,mine/ivo,sr" in inspected(tmp_path / "raw")[0]
    assert read_files() == []


def test_inventory_reads_a_file_again_that_it_could_not_read(read_files, tmp_path):
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr", "b.wav,da,ana,hr"])
    (folder / "b.wav").write_bytes(b"not sound")
    first = inspected(tmp_path / "raw")
    read_files()
    assert inspected(tmp_path / "raw") == first
    assert read_files() == ["b.wav"]


@pytest.mark.parametrize(
    ("change", "names"), [({"min_s": 0.2}, ["a.wav"]), ({"max_decode_s": 30.0}, [])]
)
def test_inventory_reads_all_again_if_a_limit_of_clips_changes(change, names, read_files, tmp_path):
    make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    inspected(tmp_path / "raw")
    read_files()
    inspected(tmp_path / "raw", replace(INVENTORY, **change))
    assert read_files() == names


def test_facts_of_a_file_survive_the_way_through_the_cache(tmp_path):
    write_clip(tmp_path / "a.wav", np.stack([tone(), -0.9 * tone()], axis=1), "FLOAT")
    measured = file_facts.file_facts(str(tmp_path / "a.wav"), True, INVENTORY)
    again = file_facts.FileFacts.decode(measured.encode())
    assert again[:3] == measured[:3]
    assert measured.codes.size
    assert np.array_equal(again.codes, measured.codes)
    assert again.codes.dtype == measured.codes.dtype


# embed


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def embed_all(folder, encoder_folder, clips, params=EMBEDDED, name="out"):
    utterances = save_clips(folder / "audio", {key: noise(0.3, len(key)) for key in clips})
    parts = [utterances[:1], utterances[1:2], utterances[2:]]
    paths = [folder / f"{part}.jsonl" for part in ("train", "valid", "test")]
    for path, rows in zip(paths, parts, strict=True):
        manifest.write(path, rows)
    embed.run(encoder_folder, paths, folder / "audio", folder / name, 1, params, CHANGED)
    return files_in(folder / name)


@pytest.mark.torch
def test_embed_decodes_and_embeds_an_added_clip_alone(encoder_folder, tmp_path, monkeypatch):
    decoded = counted(monkeypatch, embed, "clip_signal", lambda part: part.name)
    embed_all(tmp_path, encoder_folder, ["a", "bb", "ccc"])
    take_calls(decoded)
    added = embed_all(tmp_path, encoder_folder, ["a", "bb", "ccc", "dddd"])
    assert take_calls(decoded) == ["dddd.flac"]
    switch_off(monkeypatch)
    assert embed_all(tmp_path, encoder_folder, ["a", "bb", "ccc", "dddd"], name="new") == added
    assert len(take_calls(decoded)) == 4


@pytest.mark.torch
def test_embed_computes_all_again_if_weights_or_the_seed_change(
    encoder_folder, tmp_path, monkeypatch
):
    embed_all(tmp_path, encoder_folder, ["a", "bb"])
    decoded = counted(monkeypatch, embed, "clip_signal", lambda part: part.name)
    embed_all(tmp_path, save_encoder(tmp_path / "encoder", seed=5), ["a", "bb"])
    assert take_calls(decoded) == ["a.flac", "bb.flac"]
    embed_all(tmp_path, encoder_folder, ["a", "bb"], replace(EMBEDDED, seed=2))
    assert take_calls(decoded) == ["a.flac", "bb.flac"]
    embed_all(tmp_path, encoder_folder, ["a", "bb"], replace(EMBEDDED, shards=1))
    assert take_calls(decoded) == []
