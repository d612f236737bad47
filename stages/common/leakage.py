"""Find what two parts of a split share, from the utterances alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from stages.common.manifest import Utterance

Parts = Mapping[str, Sequence[Utterance]]


def shared(values: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Return what is in two or more parts, and in which, sorted.

    >>> shared({"train": ["a", "b"], "valid": ["c"], "test": ["a"]})
    {'a': ('train', 'test')}
    """
    parts_by_value: dict[str, list[str]] = defaultdict(list)
    for part, found in values.items():
        for value in set(found):
            parts_by_value[value].append(part)
    return {v: tuple(p) for v, p in sorted(parts_by_value.items()) if len(p) > 1}


def leakage(parts: Parts, pcm: Mapping[str, str], sentences: str) -> dict[str, int]:
    """Return how much of one part another knows: nothing but sentences, or it is an error.

    Args:
        parts: the utterances of each part.
        pcm: the hash of the decoded sound by id.
        sentences: `refuse` or `report` a sentence in two parts.

    Raises:
        ValueError: a speaker, an id or a sound is in two parts, or a sentence where refused.
    """
    both = {
        "speaker": shared({part: [u.speaker for u in rows] for part, rows in parts.items()}),
        "id": shared({part: [u.id for u in rows] for part, rows in parts.items()}),
        "sound": shared(_sounds(parts, pcm)),
        "sentence": shared({part: [u.normalized for u in rows] for part, rows in parts.items()}),
    }
    for what, found in both.items():
        if found and what != "sentence":
            raise ValueError(f"{_first(what, found)}; run the stage split again")
    if both["sentence"] and sentences == "refuse":
        raise ValueError(
            f"{_first('sentence', both['sentence'])}; reword or remove them, or set "
            f"audit.shared_sentences to report in params.yaml"
        )
    known = {utterance.normalized for utterance in parts["train"]}
    return {
        "speakers": len(both["speaker"]),
        "clips": len(both["id"]) + len(both["sound"]),
        "sentences": len(both["sentence"]),
        "test_utterances_with_a_train_sentence": sum(
            utterance.normalized in known for utterance in parts["test"]
        ),
    }


def _sounds(parts: Parts, pcm: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the sounds of each part, each as the clips that hold it: a hash tells nobody which."""
    clips: dict[str, list[str]] = defaultdict(list)
    for rows in parts.values():
        for utterance in rows:
            clips[pcm[utterance.id]].append(utterance.id)
    return {part: [" = ".join(clips[pcm[u.id]]) for u in rows] for part, rows in parts.items()}


def _first(what: str, found: Mapping[str, tuple[str, ...]]) -> str:
    value, where = next(iter(found.items()))
    more = f", one of {len(found)} such" if len(found) > 1 else ""
    return f"{what} {value!r} is in {' and in '.join(where)}{more}"
