"""A name of a request is one that is listed, or is refused with a short sentence."""

from pathlib import Path

import pytest

from fonoteka.service.interfaces import ModelKind, ModelVersion, UnknownModelError
from fonoteka.service.registry.names import aliases_of, find

WORDS, PHONES, STREAM = ModelKind.WORDS, ModelKind.PHONES, ModelKind.STREAM


def models(**kinds):
    return {name: ModelVersion(name, "0123456789ab", kind, Path()) for name, kind in kinds.items()}


OFFERED = models(ensemble=PHONES, mlp=PHONES, streaming=STREAM, whisper=WORDS, whisper_ctc=PHONES)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("mlp", None, "mlp"),
        ("mlp", PHONES, "mlp"),
        ("whisper-1", WORDS, "whisper"),
        ("stream_ctc", STREAM, "streaming"),
        ("", None, "whisper"),
        ("", PHONES, "whisper_ctc"),
        ("", STREAM, "streaming"),
    ],
)
def test_a_name_an_alias_or_an_empty_name_finds_a_model(name, kind, expected):
    assert find(name, kind, OFFERED).name == expected


@pytest.mark.parametrize(
    "name",
    [
        "../mlp", "/data/models/mlp", "mlp/../mlp", "mlp\0", "mlp ", "MLP", "mlр", "ｍｌｐ", ".",
        "whisper_package/tuned", "mlp\n", "\ud800", "mlp\u200b", 10_000 * "x", "%2e%2e/mlp",
    ],
    ids=lambda name: ascii(name)[:20],
)  # fmt: skip
def test_any_other_name_is_refused_with_a_short_sentence_that_lists_the_names(name):
    with pytest.raises(UnknownModelError, match="is offered; use one of ensemble, mlp, ") as caught:
        find(name, None, OFFERED)
    text = str(caught.value)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 200


def test_a_model_of_another_kind_is_refused_with_those_that_fit():
    sentence = "'mlp' is of kind phones, and words was expected; use one of whisper$"
    with pytest.raises(UnknownModelError, match=sentence):
        find("mlp", WORDS, OFFERED)


def test_an_unknown_name_lists_models_of_the_kind_that_was_expected():
    with pytest.raises(UnknownModelError, match=r"no model 'x' is offered; use one of streaming$"):
        find("x", STREAM, OFFERED)


def test_the_list_of_names_is_bounded():
    many = models(**{f"m{n:03}": PHONES for n in range(300)})
    with pytest.raises(UnknownModelError, match=r"m019 and 280 more$") as caught:
        find("x", None, many)
    assert len(str(caught.value)) < 200


def test_the_only_model_of_its_kind_is_the_default():
    assert find("", WORDS, models(mine=WORDS, mlp=PHONES)).name == "mine"
    assert find("whisper-1", None, models(mine=WORDS)).name == "mine"


@pytest.mark.parametrize("offered", [{}, models(a=WORDS, b=WORDS)])
def test_there_is_no_default_if_none_or_several_others_are_offered(offered):
    with pytest.raises(UnknownModelError, match="no model was named, and none is the default of"):
        find("", WORDS, offered)


def test_no_model_is_offered_at_all():
    with pytest.raises(UnknownModelError, match="no such model is offered now"):
        find("mlp", None, {})


def test_a_package_with_the_name_of_an_alias_has_it():
    offered = OFFERED | models(stream_ctc=PHONES)
    assert find("stream_ctc", None, offered).kind == PHONES
    assert aliases_of(offered["streaming"], offered) == []
    assert aliases_of(OFFERED["streaming"], OFFERED) == ["stream_ctc"]
    assert aliases_of(OFFERED["whisper"], OFFERED) == ["whisper-1"]
