"""The best copy of a recording stays, and clips that belong together are one group."""

from __future__ import annotations

import itertools

from stages.corpus.dedupe.groups import CopyPair, DedupeClip, group_ids, replacements


def clip(name, codec="WAV PCM_16", rate=16000, seconds=1.0, parent=""):
    return DedupeClip(name, f"mine/{name}.wav", codec, rate, seconds, parent)


def copies(*pairs):
    return [CopyPair(first, second, 0.99, 0.0) for first, second in pairs]


def replaced(*entries, pairs=None):
    pairs = pairs or list(itertools.combinations([e.id for e in entries], 2))
    return replacements({e.id: e for e in entries}, copies(*pairs))


def test_a_lossless_clip_stays_before_a_higher_rate():
    better = clip("b", "FLAC PCM_24", 8000)
    assert replaced(clip("a", "MP3 MPEG_LAYER_III", 44100, 2.0), better) == {"a": "b"}


def test_then_a_higher_rate_before_a_longer_clip():
    assert replaced(clip("a", seconds=2.0), clip("b", rate=44100)) == {"a": "b"}


def test_then_a_longer_clip_before_an_earlier_id():
    assert replaced(clip("a"), clip("b", seconds=1.5)) == {"a": "b"}


def test_then_the_first_id():
    assert replaced(clip("b"), clip("a"), clip("c")) == {"b": "a", "c": "a"}


def test_a_chain_of_copies_is_one_recording():
    clips = [clip(name) for name in "abcd"]
    assert replaced(*clips, pairs=[("c", "d"), ("a", "b"), ("b", "c")]) == dict.fromkeys("bcd", "a")


def test_a_clip_with_a_parent_stays_and_its_parent_too():
    assert replaced(clip("a"), clip("a2", parent="a"), clip("a3", parent="a")) == {}


def test_an_undeclared_copy_leaves_and_a_declared_one_stays():
    assert replaced(clip("a"), clip("a2", parent="a"), clip("b")) == {"b": "a"}


def test_parents_and_copies_make_one_group_named_after_its_first_clip():
    clips = [clip("b"), clip("c", parent="b"), clip("d"), clip("e")]
    assert group_ids(clips, copies(("c", "d")), {}) == {"b": "b", "c": "b", "d": "b"}


def test_children_of_a_parent_that_left_are_one_group():
    children = [clip("k1", parent="gone"), clip("k2", parent="gone")]
    assert group_ids(children, (), {}) == {"k1": "k1", "k2": "k1"}
    assert group_ids([clip("a"), *children], (), {"gone": "a"}) == dict.fromkeys(
        ("a", "k1", "k2"), "a"
    )
