"""A choice keeps its budget and quotas, and takes what is uncertain and different."""

from __future__ import annotations

import numpy as np
import pytest

from fonoteka.selection.choose import STRATEGIES, PoolCandidate, Quotas, choose, quotas


def clips(count: int, seed: int = 0) -> tuple[list[PoolCandidate], np.ndarray]:
    """Return candidates of four languages and seven speakers with random vectors."""
    random = np.random.default_rng(seed)
    candidates = [
        PoolCandidate(
            f"clip-{n:03d}", float(random.uniform(1, 9)), f"radio/s{n % 7}",
            ("bs", "en", "hr", "sr")[n % 4], float(random.uniform()),
        )
        for n in range(count)
    ]  # fmt: skip
    return candidates, random.uniform(size=(count, 5))


def clip(name: str, uncertainty: float = 0.5, seconds: float = 1.0, **more: str) -> PoolCandidate:
    values = {"speaker": "radio/ana", "language": "sr"} | more
    return PoolCandidate(name, seconds, values["speaker"], values["language"], uncertainty)


def line(*places: float) -> np.ndarray:
    return np.array(places)[:, None]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_choice_fills_its_budget_and_is_the_same_in_any_order(strategy):
    candidates, vectors = clips(60)
    picks = choose(candidates, vectors, Quotas(100.0), strategy)
    seconds = sum(candidates[i].seconds for i in picks)
    # What is left over is less than the shortest clip that is not chosen.
    rest = min(c.seconds for i, c in enumerate(candidates) if i not in picks)
    assert 100 - rest < seconds <= 100
    assert len({*picks}) == len(picks)
    order = np.random.default_rng(1).permutation(60)
    moved = choose([candidates[i] for i in order], vectors[order], Quotas(100.0), strategy)
    assert [int(order[i]) for i in moved] == picks


def test_a_clip_that_does_not_fit_is_passed_over_for_shorter_ones():
    candidates = [clip("a", 0.9, 50.0), clip("b", 0.8, 7.0), clip("c", 0.7, 5.0), clip("d", 0.1)]
    assert choose(candidates, line(0, 1, 2, 3), Quotas(9.0), "uncertainty") == [1, 3]


def test_the_most_uncertain_clips_come_first():
    candidates = [clip("a", 0.2), clip("b", 0.9), clip("c", 0.5)]
    assert choose(candidates, line(0, 1, 2), Quotas(9.0), "uncertainty") == [1, 2, 0]


def test_diversity_takes_one_clip_of_each_group_before_a_second():
    candidates = [clip(name) for name in "abcdef"]
    places = line(0.0, 0.1, 5.0, 5.1, 9.0, 9.1)
    picks = choose(candidates, places, Quotas(3.0), "diversity")
    assert {i // 2 for i in picks} == {0, 1, 2}


def test_diversity_does_not_begin_with_an_outlier():
    picks = choose([clip(n) for n in "abcd"], line(1.0, 1.1, 1.2, 90.0), Quotas(1.0), "diversity")
    assert picks != [3]


def test_both_takes_no_copy_of_an_uncertain_clip():
    candidates = [clip("a", 0.9), clip("b", 0.9), clip("c", 0.3), clip("d", 0.1)]
    places = line(0.0, 0.0, 4.0, 0.5)
    assert choose(candidates, places, Quotas(2.0), "uncertainty") == [0, 1]
    assert choose(candidates, places, Quotas(2.0), "both") == [0, 2]


def test_clips_near_known_ones_come_last():
    candidates = [clip("a"), clip("b"), clip("c")]
    for strategy in ("diversity", "both"):
        picks = choose(candidates, line(0, 5, 9), Quotas(9.0), strategy, existing=line(0.1, 8.5))
        assert picks[0] == 1
        assert picks[-1] == 0


def test_a_language_or_speaker_gets_at_most_its_quota():
    candidates, vectors = clips(200)
    limits = Quotas(300.0, {"sr": 40.0, "hr": 60.0}, speaker_s=20.0)
    for strategy in STRATEGIES:
        picks = [candidates[i] for i in choose(candidates, vectors, limits, strategy)]
        by_language = {c: sum(p.seconds for p in picks if p.language == c) for c in ("sr", "hr")}
        assert {p.language for p in picks} == {"sr", "hr"}
        assert 31 < by_language["sr"] <= 40  # the longest clip has 9 s
        assert 51 < by_language["hr"] <= 60
        for speaker in {p.speaker for p in picks}:
            assert sum(p.seconds for p in picks if p.speaker == speaker) <= 20


def test_a_random_choice_depends_on_its_seed_alone():
    candidates, vectors = clips(40)
    first, again, other = (
        choose(candidates, vectors, Quotas(50.0), "random", seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other
    changed = [PoolCandidate(c.id, c.seconds, c.speaker, c.language, 0.0) for c in candidates]
    assert choose(changed, vectors[::-1], Quotas(50.0), "random", seed=1) == first


def test_no_candidate_gives_no_choice():
    assert choose([], np.zeros((0, 0)), Quotas(9.0), "both") == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((0,), "--hours: expected hours above 0, found 0"),
        ((-1.0,), "--hours: expected hours above 0, found -1"),
        ((float("nan"),), "--hours: expected hours above 0, found nan"),
        ((None,), "--hours: expected hours above 0, found None"),
        ((1, ["de=1"]), "language 'de' is unknown; expected one of"),
        ((1, ["sr"]), "'sr': expected language=hours, such as sr=0.5"),
        ((1, ["sr=x"]), "--per-language sr: expected hours above 0, found x"),
        ((1, ["sr=1", "sr=2"]), "'sr' is given twice; keep one"),
        ((1, [], 0.0), "--per-speaker: expected hours above 0, found 0"),
    ],
    ids=["zero", "negative", "nan", "missing", "unknown", "no-number", "word", "twice", "speaker"],
)
def test_hours_and_quotas_that_make_no_sense_are_one_sentence(words, sentence):
    with pytest.raises(ValueError, match=sentence):
        quotas(*words)


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="strategy 'best' is not one of"):
        choose([clip("a")], line(0), Quotas(1.0), "best")
