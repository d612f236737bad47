"""Profiles are laid over a params file that has every kind of value and of comment."""

import pytest
from command_line import run_fonoteka
from ruamel.yaml import YAML

from fonoteka.pipeline import overrides

PARAMS = """\
# Every number of the pipeline.

split:
  salt: "a"  # changes who falls where
  test_fraction: 0.2
  assigned: {}  # speaker: part

# The input of the models.
train:
  epochs: 3
  rates_hz:
    - 16000
    - 8000

  # How the weights move.
  optimizer:
    name: adam
    learning_rate: 0.001

  seed: null
  sizes: [64, 32]  # from below
compute:
  threads: 1
"""


@pytest.fixture
def lay(tmp_path):
    """Lay a profile, given as text, over PARAMS and return the changes and the new text."""

    def over(text, params=PARAMS):
        (tmp_path / "params.yaml").write_text(params)
        (tmp_path / "small.yaml").write_text(text)
        lines = overrides.apply_profile(tmp_path / "small.yaml", tmp_path / "params.yaml")
        return lines, (tmp_path / "params.yaml").read_text()

    return over


def test_a_value_changes_and_every_other_byte_stays(lay):
    lines, text = lay("train: {epochs: 1, optimizer: {learning_rate: 0.0003}}\nsplit: {salt: b}\n")
    assert lines == [
        "train.epochs: 3 -> 1",
        "train.optimizer.learning_rate: 0.001 -> 0.0003",
        "split.salt: a -> b",
    ]
    changed = PARAMS.replace("epochs: 3", "epochs: 1").replace("0.001", "0.0003")
    assert text == changed.replace('"a"', '"b"')


def test_a_profile_laid_twice_changes_nothing_the_second_time(lay):
    small = "train: {rates_hz: [1], seed: 7, sizes: []}\nsplit: {assigned: {ana: test}}\n"
    lines, text = lay(small)
    assert len(lines) == 4
    assert lay(small, params=text) == ([], text)


@pytest.mark.parametrize("rates", ["[1, 2, 3]", "[1]", "[]", "[[1, 2], [3]]"])
def test_comments_below_a_replaced_list_stay_where_they_were(lay, rates):
    lines, text = lay(f"train: {{rates_hz: {rates}}}\n")
    assert lines == [f"train.rates_hz: [16000, 8000] -> {rates}"]
    assert text.count("#") == PARAMS.count("#")
    assert "\n\n  # How the weights move.\n  optimizer:\n" in text
    values = YAML(typ="safe").load(text)["train"]["rates_hz"]
    assert values == YAML(typ="safe").load(rates)


def test_a_list_keeps_the_style_it_had(lay):
    _, text = lay("train:\n  rates_hz: [1, 2]\n  sizes:\n    - 8  # few\n    - 4\n")
    assert "  rates_hz:\n    - 1\n    - 2\n\n" in text
    assert "  sizes: [8, 4]    # from below\n" in text


@pytest.mark.parametrize("before", ["{}", "{eva: train}"])
def test_a_free_form_mapping_is_replaced_whole(lay, before):
    params = PARAMS.replace("assigned: {}", f"assigned: {before}")
    lines, text = lay("split:\n  assigned:\n    ana: test\n    ivo: valid\n", params)
    assert lines == [f"split.assigned: {before} -> {{ana: test, ivo: valid}}"]
    assert "  assigned: {ana: test, ivo: valid} # speaker: part\n" in text


def test_null_gives_way_to_a_value_and_back(lay):
    lines, text = lay("train: {seed: 7}\n")
    assert lines == ["train.seed: null -> 7"]
    assert lay("train: {seed: null}\n", text) == (["train.seed: 7 -> null"], PARAMS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("trian: {epochs: 1}", r"small\.yaml: unknown section 'trian'; did you mean 'train'\?"),
        ("train: {epoch: 1}", r"unknown key 'train\.epoch'; did you mean 'epochs'\?"),
        (
            "train: {optimizer: {lr: 1}}",
            r"'train\.optimizer\.lr'; expected one of \['learning_rate",
        ),
        ("train: {optimizer: sgd}", r"train\.optimizer: expected keys and values, found sgd"),
        ("train: {epochs: {a: 1}}", r"train\.epochs: expected one value, found \{a: 1\}"),
        ("train: [1, true, null]", r"train: expected keys and values, found \[1, true, null\]"),
        ("train", r"small\.yaml: expected keys and values, found train"),
        ("train: [", r"small\.yaml: not valid YAML: "),
    ],
)
def test_a_profile_that_does_not_fit_is_refused_and_nothing_is_written(
    lay, tmp_path, text, sentence
):
    with pytest.raises(ValueError, match=sentence) as caught:
        lay(f"{text}\n")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "params.yaml").read_text() == PARAMS


def test_params_that_are_not_there_or_broken_are_named(lay, tmp_path):
    with pytest.raises(ValueError, match=r"params\.yaml: not valid YAML"):
        lay("train: {epochs: 1}\n", params="train: [\n")
    with pytest.raises(ValueError, match=r"none\.yaml: no such file; run from the top"):
        overrides.apply_profile(tmp_path / "small.yaml", tmp_path / "none.yaml")


def test_a_profile_is_found_by_name_or_by_path(tmp_path):
    (tmp_path / "hub.yaml").touch()
    assert overrides.find("hub", tmp_path) == tmp_path / "hub.yaml"
    assert overrides.find(str(tmp_path / "hub.yaml")) == tmp_path / "hub.yaml"
    with pytest.raises(ValueError, match="no profile is named 'hbu'; did you mean 'hub'"):
        overrides.find("hbu", tmp_path)


def test_the_command_says_what_it_changed_or_that_it_changed_nothing(tmp_path, capsys):
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "small.yaml").write_text("train: {epochs: 1}\n")
    command = ["profile", tmp_path / "small.yaml", "--params", tmp_path / "params.yaml"]
    run_fonoteka(*command)
    assert capsys.readouterr().out == "train.epochs: 3 -> 1\n"
    run_fonoteka(*command)
    assert "has the values of" in capsys.readouterr().out
