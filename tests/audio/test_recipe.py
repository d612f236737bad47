"""Recipes are read from configs/augment.yaml; a mistake there is one sentence."""

from __future__ import annotations

import re

import pytest
import yaml
from dvc_yaml import TOP

from fonoteka.audio.recipe import KINDS, LIMITS, AugmentRecipe, Noise, Speed, load_recipe

NAMES = sorted(yaml.safe_load((TOP / "configs/augment.yaml").read_text(encoding="utf-8")))
NOISE = "{kind: noise, probability: 0.5, snr_db: [10, 30.0], colour: [0.0, 0.9]}"


def written(folder, change):
    path = folder / "augment.yaml"
    path.write_text(f"mine:\n  - {change}\n")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_of_the_project_can_be_read(name):
    recipe = load_recipe(name, "name")
    assert recipe.name == name
    assert bool(recipe.changes) == (name != "none")


def test_a_recipe_is_its_changes_in_their_order(tmp_path):
    path = written(tmp_path, f"{NOISE}\n  - {{kind: speed, probability: 1, largest: 0.2}}")
    expected = (Noise("noise", 0.5, (10.0, 30.0), (0.0, 0.9)), Speed("speed", 1.0, 0.2))
    assert load_recipe("mine", "name", path) == AugmentRecipe("mine", expected)


def test_the_slowest_copy_counts_each_change_of_speed():
    changes = (Speed("speed", 1.0, 0.5), Speed("speed", 0.1, 0.2), Speed("speed", 0.0, 0.9))
    assert AugmentRecipe("mine", changes).slowest == pytest.approx(1.5 * 1.2)
    assert AugmentRecipe("mine", ()).slowest == 1.0


def test_each_number_of_a_change_has_limits():
    numbers = {name for kind in KINDS.values() for name in kind.__dataclass_fields__}
    assert numbers == {*LIMITS, "kind", "formats"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("{kind: echo}", r"mine[0]: kind 'echo' is not one of ['band', 'codec'"),
        ("noise", "mine[0]: expected a kind with its values, found 'noise'"),
        ("12", "mine[0]: expected a kind with its values, found 12"),
        ("{kind: [a]}", "mine[0]: kind ['a'] is not one of"),
        ("{kind: gain, probability: 1.0}", "mine[0]: gain: missing ['db']"),
        (NOISE.replace("snr_db", "snr"), "noise: missing ['snr_db'], unknown ['snr']"),
        (NOISE.replace("0.5", "1.5"), "noise: probability: expected a number in [0, 1], found 1.5"),
        (NOISE.replace("0.5", ".nan"), "expected a number in [0, 1], found nan"),
        (NOISE.replace("0.5", "often"), "noise: probability: expected float, found 'often'"),
        (
            NOISE.replace("[10, 30.0]", "[30, 10]"),
            "noise: snr_db: expected two ascending numbers in [-30, 100], found [30.0, 10.0]",
        ),
        (NOISE.replace("[10, 30.0]", "[10]"), "expected two ascending numbers"),
        (NOISE.replace("[10, 30.0]", "[10, 300]"), "ascending numbers in [-30, 100], found [10.0"),
        (
            "{kind: codec, probability: 1, formats: [flac], compression: [0, 1]}",
            "codec: formats: expected some of ['gsm', 'mp3', 'mu_law', 'opus', 'vorbis'], found "
            "['flac']",
        ),
        (
            "{kind: codec, probability: 1, formats: [], compression: [0, 1]}",
            "codec: formats: expected some of",
        ),
    ],
    ids=lambda value: re.sub(r"\W+", " ", value)[:60].strip(),
)
def test_a_mistake_is_one_sentence(change, sentence, tmp_path):
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        load_recipe("mine", "name", written(tmp_path, change))
    assert str(caught.value).startswith(f"{tmp_path / 'augment.yaml'}: mine")
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    path = written(tmp_path, NOISE)
    message = r"^embed\.augment: .*augment\.yaml has no recipe 'mien'; use one of \['mine'\]"
    with pytest.raises(ValueError, match=message):
        load_recipe("mien", "embed.augment", path)


@pytest.mark.parametrize("text", ["mine: {kind: gain}", "mine: loud"], ids=["one change", "a word"])
def test_a_recipe_that_is_not_a_list_is_refused(text, tmp_path):
    path = tmp_path / "augment.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="mine: expected a list of changes, found"):
        load_recipe("mine", "name", path)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    path = tmp_path / "augment.yaml"
    with pytest.raises(ValueError, match=r"augment\.yaml: no such file; run from the top"):
        load_recipe("mine", "name", path)
    for content in (b"mine: [", b"mine: \xff"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"augment\.yaml: not valid YAML: "):
            load_recipe("mine", "name", path)
