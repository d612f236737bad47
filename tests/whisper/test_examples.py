"""Targets have one prompt per clip in its own language, and nothing is shortened."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from corpus_maker import utterance
from finetune_maker import NO_MASKS, tone
from whisper_maker import tiny_whisper

from fonoteka.whisper.examples import (
    NO_TARGET,
    MaskParams,
    batches_of,
    evenly_drawn,
    make_example,
    make_examples,
    make_targets,
    mask_spectrogram,
)
from fonoteka.whisper.model import load_whisper


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return load_whisper(tiny_whisper(tmp_path_factory.mktemp("tiny")))


def spoken(text, language="hr", **more):
    return utterance(**{"speaker": "mine/ana", "language": language, "text": text} | more)


def example(whisper, text, language="hr", seconds=0.5, script="latin"):
    samples = tone(300, seconds)
    return make_example(whisper, spoken(text, language), lambda: samples, script)


def test_a_mixed_batch_has_the_language_token_of_each_clip_and_one_start_token(whisper):
    languages = ["hr", "sr", "bs", "en"]
    batch = [example(whisper, "da " * n, lang) for n, lang in enumerate(languages, start=1)]
    targets = make_targets(batch, whisper.rules.end)
    number = whisper.tokenizer.convert_tokens_to_ids
    for row, language in zip(targets.inputs.tolist(), languages, strict=True):
        names = ("startoftranscript", language, "transcribe", "notimestamps")
        assert row[:4] == [number(f"<|{name}|>") for name in names]
        assert row.count(whisper.rules.start) == 1


def test_the_loss_is_on_the_text_and_the_end_alone(whisper):
    batch = [example(whisper, "da"), example(whisper, "danas je dan")]
    targets = make_targets(batch, whisper.rules.end)
    for e, inputs, labels in zip(batch, targets.inputs, targets.labels, strict=True):
        with_loss = labels != NO_TARGET
        assert labels[with_loss].tolist() == [*e.tokens, whisper.rules.end]
        assert with_loss.nonzero()[:, 0].tolist() == list(range(3, 4 + len(e.tokens)))
        # Each label is the next input: no token is given before it has to be predicted.
        assert inputs[4 : 4 + len(e.tokens)].tolist() == labels[3 : 3 + len(e.tokens)].tolist()
    assert targets.count == sum(len(e.tokens) + 1 for e in batch)


def test_targets_of_a_text_are_what_the_tokenizer_makes_of_it_after_a_space(whisper):
    tokens = example(whisper, "Čaj, žut.").tokens
    assert whisper.tokenizer.decode(list(tokens)) == " Čaj, žut."


@pytest.mark.parametrize(
    ("text", "language", "script", "target"),
    [
        ("Њој је џеп", "sr", "latin", "Njoj je džep"),
        ("Њој је џеп", "sr", "as_written", "Њој је џеп"),
        ("Њој", "en", "latin", "Њој"),
    ],
)
def test_cyrillic_becomes_latin_if_asked(text, language, script, target, whisper):
    assert whisper.text(example(whisper, text, language, script=script).tokens) == target


@pytest.mark.parametrize(
    ("text", "language", "seconds", "message"),
    [
        (" ", "hr", 0.5, "its text is empty"),
        ("e" * 443, "hr", 0.5, None),
        ("e" * 444, "hr", 0.5, "its text and the prompt are 449 tokens; the most are 448"),
        ("da", "hr", 29.0, None),
        ("da", "hr", 29.01, "a clip of 29.0 s; Whisper learns from at most 29 s"),
        ("da", "xx", 0.5, "language 'xx' is unknown to this Whisper model"),
    ],
)
def test_what_is_too_long_empty_or_unknown_is_refused_by_name(
    text, language, seconds, message, whisper
):
    if message is None:
        assert len(example(whisper, text, language, seconds).samples) == seconds * 16_000
        return
    with pytest.raises(ValueError, match=message) as refusal:
        example(whisper, text, language, seconds)
    assert str(refusal.value).startswith("mine-ana-0-")


def test_examples_are_in_the_order_of_the_utterances_and_not_of_the_shards(whisper):
    utterances = [spoken("da", id=f"u{n}") for n in range(3)]
    clips = {f"u{n}": tone(300, 0.1 * (n + 1)) for n in (2, 0, 1)}
    examples = make_examples(whisper, utterances, clips, "latin")
    assert [(e.id, e.count) for e in examples] == [("u0", 1600), ("u1", 3200), ("u2", 4800)]
    assert all(e.samples is clips[e.id] for e in examples)


def test_batches_have_all_clips_once_and_little_padding():
    lengths = [2.0, 9.0, 2.5, 9.0, 2.0, 2.5, 8.5]
    orders = []
    for seed in (1, 1, 2):
        batches = batches_of(lengths, 3, np.random.default_rng(seed))
        assert sorted(i for batch in batches for i in batch) == list(range(7))
        by_length = sorted([sorted(lengths[i] for i in batch) for batch in batches])
        assert by_length == [[2.0, 2.0, 2.5], [2.5, 8.5, 9.0], [9.0]]
        orders.append(batches)
    assert orders[0] == orders[1] != orders[2]


def test_equal_batches_have_one_input_length_each():
    lengths = [2.0, 3.0, 2.0, 3.0, 2.0, 2.0]
    batches = batches_of(lengths, 3, np.random.default_rng(0), equal=True)
    assert all(len({lengths[i] for i in batch}) == 1 for batch in batches)
    assert sorted(map(len, batches)) == [1, 2, 3]


def test_clips_are_drawn_evenly_over_voices_and_languages():
    utterances = [
        spoken("da", language, id=f"{voice}-{language}-{n}", speaker=f"mine/{voice}")
        for voice in ("ana", "iva")
        for language in ("hr", "sr")
        for n in range(2 if voice == "ana" else 9)
    ]
    drawn = evenly_drawn(utterances, 8)
    groups = Counter((u.speaker, u.language) for u in drawn)
    assert [*groups.values()] == [2, 2, 2, 2]
    assert drawn == evenly_drawn(list(reversed(utterances)), 8)
    assert len(evenly_drawn(utterances, 99)) == len(utterances)


def masked(masks, seeds, frames=(100, 60)):
    return mask_spectrogram(torch.ones(2, 80, 100), masks, seeds, frames)


def test_masks_are_spans_of_the_clip_that_follow_their_seeds():
    masks = MaskParams(time_masks=2, time_frames=20, band_masks=1, bands=10)
    first = masked(masks, [1, 2])
    assert torch.equal(first, masked(masks, [1, 2]))
    assert not torch.equal(first, masked(masks, [3, 2]))
    times = masked(MaskParams(time_masks=2, time_frames=20, band_masks=0, bands=0), [1, 2])
    hidden = (times == 0).all(dim=1)
    assert 0 < hidden.sum() <= 80
    assert not hidden[1, 60:].any()  # the silence after the clip is not masked
    assert torch.equal((times == 0).any(dim=1), hidden)


def test_masks_can_be_off():
    assert not NO_MASKS.on
    assert torch.equal(masked(NO_MASKS, [1, 2]), torch.ones(2, 80, 100))
