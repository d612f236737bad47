"""Of the copies of a recording the best one stays, and what belongs together is one group."""

from __future__ import annotations

import itertools

from stages.corpus.dedupe.groups import Copy, Entry, group_of, stand_ins


def entry(name, codec="WAV PCM_16", rate=16000, seconds=1.0, parent=""):
    return Entry(name, f"mine/{name}.wav", codec, rate, seconds, parent)


def copies(*pairs):
    return [Copy(one, other, 0.99, 0.0) for one, other in pairs]


def leaving(*entries, pairs=None):
    pairs = pairs or list(itertools.combinations([e.id for e in entries], 2))
    return stand_ins({e.id: e for e in entries}, copies(*pairs))


def test_a_lossless_clip_stays_before_a_higher_rate():
    better = entry("b", "FLAC PCM_24", 8000)
    assert leaving(entry("a", "MP3 MPEG_LAYER_III", 44100, 2.0), better) == {"a": "b"}


def test_then_a_higher_rate_before_a_longer_clip():
    assert leaving(entry("a", seconds=2.0), entry("b", rate=44100)) == {"a": "b"}


def test_then_a_longer_clip_before_an_earlier_id():
    assert leaving(entry("a"), entry("b", seconds=1.5)) == {"a": "b"}


def test_then_the_first_id():
    assert leaving(entry("b"), entry("a"), entry("c")) == {"b": "a", "c": "a"}


def test_a_chain_of_copies_is_one_recording():
    clips = [entry(name) for name in "abcd"]
    assert leaving(*clips, pairs=[("c", "d"), ("a", "b"), ("b", "c")]) == dict.fromkeys("bcd", "a")


def test_a_clip_with_a_parent_stays_and_its_parent_too():
    assert leaving(entry("a"), entry("a2", parent="a"), entry("a3", parent="a")) == {}


def test_a_copy_that_nobody_declares_leaves_beside_one_that_is_declared():
    assert leaving(entry("a"), entry("a2", parent="a"), entry("b")) == {"b": "a"}


def test_parents_and_copies_make_one_group_named_after_its_first_clip():
    clips = [entry("b"), entry("c", parent="b"), entry("d"), entry("e")]
    assert group_of(clips, copies(("c", "d")), {}) == {"b": "b", "c": "b", "d": "b"}


def test_children_of_a_parent_that_left_are_one_group():
    children = [entry("k1", parent="gone"), entry("k2", parent="gone")]
    assert group_of(children, (), {}) == {"k1": "k1", "k2": "k1"}
    assert group_of([entry("a"), *children], (), {"gone": "a"}) == dict.fromkeys(
        ("a", "k1", "k2"), "a"
    )
