"""A clip's embedding depends on the clip and the encoder and on nothing else."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from clip_maker import CHANGED, noise, save_clips, write_recipes
from execution_maker import EXECUTION
from model_maker import SIZE, encoder, save_encoder

from fonoteka import manifest
from fonoteka.audio.augment import augment
from fonoteka.audio.recipe import NONE
from fonoteka.audio.surroundings import Surroundings
from fonoteka.models.clip_encoder import WaveformEncoder
from fonoteka.models.determinism import seed_of
from fonoteka.shards import open_arrays
from stages.features import embed as stage
from stages.features.embed import EmbedParams, run

pytestmark = pytest.mark.torch
BARE = Surroundings(0.0, 15.0, 45.0)
PARAMS = EmbedParams(seed=1, shards=3, augment="changed", around=BARE)
CLIPS = {f"c{n}": noise(0.2 + 0.07 * n, n) for n in range(5)}


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    return save_encoder(tmp_path_factory.mktemp("encoder"))


def embedded(folder, encoder_folder, clips=CLIPS, train=2, copies=1):
    """Embed clips of which the first `train` are the training part."""
    utterances = save_clips(folder / "audio", clips)
    parts = [utterances[:train], utterances[train : train + 1], utterances[train + 1 :]]
    paths = [folder / f"{part}.jsonl" for part in ("train", "valid", "test")]
    for path, rows in zip(paths, parts, strict=True):
        manifest.write(path, rows)
    run(encoder_folder, paths, folder / "audio", folder / "out", copies, PARAMS, CHANGED)
    return open_arrays(folder / "out")


def test_all_clips_are_embedded_and_views_are_of_the_training_part_alone(encoder_folder, tmp_path):
    embeddings = embedded(tmp_path, encoder_folder, copies=2)
    assert sorted(embeddings) == sorted([*CLIPS, "c0#1", "c0#2", "c1#1", "c1#2"])
    for key, signal in CLIPS.items():
        assert embeddings[key].shape == (-(-len(signal) // 320), SIZE.hidden)


def test_corpus_mates_change_no_bit(encoder_folder, tmp_path):
    together = embedded(tmp_path / "all", encoder_folder)
    alone = embedded(tmp_path / "one", encoder_folder, {"c1": CLIPS["c1"]}, train=1)
    backwards = embedded(tmp_path / "back", encoder_folder, dict(reversed(CLIPS.items())), train=4)
    for key in ("c1", "c1#1"):
        assert np.array_equal(together[key], alone[key])
        assert np.array_equal(together[key], backwards[key])


def test_two_runs_are_equal_byte_for_byte(encoder_folder, tmp_path):
    for name in ("a", "b"):
        embedded(tmp_path / name, encoder_folder)
    files = [sorted((tmp_path / name / "out").iterdir()) for name in ("a", "b")]
    assert [p.name for p in files[0]] == [f"shard-0{n}.safetensors" for n in range(3)]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


def test_a_view_is_the_changed_clip_drawn_from_its_id_and_the_seed():
    encoder_in_torch, signal = WaveformEncoder(encoder(), True), CLIPS["c0"]
    embeddings = dict(stage.clip_embeddings(encoder_in_torch, "c0", signal, 2, 1, CHANGED, BARE))
    assert list(embeddings) == ["c0", "c0#1", "c0#2"]
    for view in (1, 2):
        rng = np.random.default_rng(seed_of(1, "c0", view))
        copy, _ = augment(signal, CHANGED, rng)
        assert np.array_equal(embeddings[f"c0#{view}"], encoder_in_torch.embed(copy))
    again = dict(stage.clip_embeddings(encoder_in_torch, "c9", signal, 1, 1, CHANGED, BARE))
    assert not np.array_equal(again["c9#1"][:5], embeddings["c0#1"][:5])
    other = dict(stage.clip_embeddings(encoder_in_torch, "c0", signal, 1, 2, CHANGED, BARE))
    assert not np.array_equal(other["c0#1"][:5], embeddings["c0#1"][:5])


def test_an_unchanged_view_sounds_like_its_clip():
    embeddings = dict(
        stage.clip_embeddings(
            WaveformEncoder(encoder(), True),
            "c",
            CLIPS["c0"],
            1,
            1,
            NONE,
            BARE,
        )
    )
    assert np.array_equal(embeddings["c"], embeddings["c#1"])


def test_a_view_is_between_silences_and_its_clip_is_not():
    around, encoder_in_torch = Surroundings(0.2, 15.0, 45.0), WaveformEncoder(encoder(), True)
    views = dict(stage.clip_embeddings(encoder_in_torch, "c", CLIPS["c0"], 3, 1, NONE, around))
    lengths = [len(views[key]) for key in ("c", "c#1", "c#2", "c#3")]
    for view, length in enumerate(lengths[1:], start=1):
        random = np.random.default_rng(seed_of(1, "c", view))
        signal, before, after = around.add_to(CLIPS["c0"], random)
        assert length == lengths[0] + before + after
        assert np.array_equal(views[f"c#{view}"], encoder_in_torch.embed(signal))
    assert len({*lengths}) > 1


@pytest.mark.parametrize(("copies", "shards"), [(-1, 3), (1, 0)])
def test_numbers_that_make_no_sense_are_refused(copies, shards, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"embed: augmented_copies must .* and shards at least 1, found -?\d and \d",
    ):
        run(tmp_path, [], tmp_path, tmp_path / "out", copies, replace(PARAMS, shards=shards), NONE)


def test_a_missing_clip_leaves_earlier_embeddings_alone(encoder_folder, tmp_path):
    embedded(tmp_path, encoder_folder)
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    save_clips(tmp_path / "audio", {"c0": CLIPS["c0"]})
    paths = [tmp_path / f"{part}.jsonl" for part in ("train", "valid", "test")]
    with pytest.raises(ValueError, match="4 of 5 clips are missing"):
        run(encoder_folder, paths, tmp_path / "audio", tmp_path / "out", 1, PARAMS, CHANGED)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_the_command_reads_params_and_paths(encoder_folder, tmp_path, monkeypatch):
    embedded(tmp_path, encoder_folder)
    sections = {
        "embed": asdict(PARAMS),
        "compute": {"threads": 1, "device": "cpu"},
        "execution": EXECUTION,
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    write_recipes(tmp_path, CHANGED)
    monkeypatch.chdir(tmp_path)
    names = ["train.jsonl", "valid.jsonl", "test.jsonl", "audio", "again"]
    names += ["--augmented-copies", "1"]
    monkeypatch.setattr(sys, "argv", ["embed", str(encoder_folder), *names])
    stage.main()
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
