"""Pack a dashboard's document: a hypothesis is stored as its edits of the reference.

Five models of which most units are right repeat their reference five times, and an alignment is as
long as its texts. Edits contain both: 10,000 utterances of six models take 3 MB instead of 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

COUNTS = {"substitutions": "s", "deletions": "d", "insertions": "i"}
"""Keys of a model's counts, and the operations that they count."""


def packed_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose models have `edits`, `texts` and `counts` by normalisation.

    `edits` has one text per clip, or null if the clip is not aligned; `texts` has the hypotheses of
    clips that are not aligned, and `counts` their substitutions, deletions and insertions, both by
    the clip's index.
    """
    assert document["format"] == 1, document["format"]
    size = len(document["clips"]["id"])
    for name, column in document["clips"].items():
        values = column.get("index") if isinstance(column, Mapping) else column
        if name != "withheld" and isinstance(values, Sequence) and not isinstance(values, str):
            assert len(values) == size, f"clips.{name} has {len(values)} of {size} values"
    for index, url in document["clips"].get("audio", {}).items():
        assert url.startswith("data:audio/"), f"clips.audio[{index}] is not an embedded sound"
    return {**document, "tasks": [_packed_task(task, size) for task in document["tasks"]]}


def _packed_task(task: Mapping[str, Any], size: int) -> dict[str, Any]:
    whole_texts = "alphabet" not in task
    models = []
    for model in task["models"]:
        packed = {
            key: value for key, value in model.items() if key not in ("hypotheses", "ops", *COUNTS)
        }
        packed |= {"edits": {}, "texts": {}, "counts": {}}
        for name in task["normalisations"]:
            columns = {
                "references": task["references"][name],
                "hypotheses": model["hypotheses"][name],
                "ops": model["ops"][name],
                **{key: model[key][name] for key in COUNTS},
            }
            for key, column in columns.items():
                assert len(column) == size, f"{model['name']}: {key} has {len(column)} of {size}"
            edits, texts, counts = _packed_columns(columns, words=whole_texts)
            packed["edits"][name], packed["texts"][name] = edits, texts
            packed["counts"][name] = counts
        models.append(packed)
    return {**task, "models": models}


def _packed_columns(
    columns: Mapping[str, Sequence[Any]], words: bool
) -> tuple[list[str | None], dict[str, str], dict[str, list[int]]]:
    edits: list[str | None] = []
    texts: dict[str, str] = {}
    counts: dict[str, list[int]] = {}
    rows = zip(*(columns[key] for key in ("references", "hypotheses", "ops", *COUNTS)), strict=True)
    for index, (reference, hypothesis, ops, *errors) in enumerate(rows):
        if ops is None:
            edits.append(None)
            if hypothesis is not None:
                texts[str(index)] = hypothesis
            if errors[0] is not None:
                counts[str(index)] = errors
            continue
        # The page counts the operations again, so they have to agree with the scorer's counts.
        expected = [ops.count(operation) for operation in COUNTS.values()]
        assert errors == expected, f"clip {index}: counts {errors}, alignment {expected}"
        edits.append(edits_of(reference, hypothesis, ops, words=words))
    return edits, texts, counts


def edits_of(reference: str, hypothesis: str, ops: str, words: bool) -> str:
    """Return the edits that make a hypothesis of its reference.

    A number is a run of equal units, `d` a deletion, and `s` or `i` has the unit of the hypothesis
    after it. Edits of words are separated by spaces. The last run of equal units is left out.

    >>> edits_of("abcdefgh", "axcdgh!", "=s==dd==i", words=False)
    '1sx2dd2i!'
    >>> edits_of("one two three", "one too three", "=s=", words=True)
    '1 stoo'
    """
    read, written = units_of(reference, words), units_of(hypothesis, words)
    result: list[str] = []
    start = position = 0  # in the reference and the hypothesis
    for operation, group in groupby(ops):
        length = len([*group])
        recognised = written[position : position + length] if operation != "d" else []
        if operation == "=":
            assert read[start : start + length] == recognised, f"{ops!r} does not fit {reference!r}"
            result.append(str(length))
        else:
            assert operation in "sdi", f"operation {operation!r} is not one of '=sdi'"
            result += [operation + unit for unit in recognised] or [operation] * length
        start += length if operation != "i" else 0
        position += len(recognised)
    complete = (start, position) == (len(read), len(written))
    assert complete, f"{ops!r} does not fit {reference!r} and {hypothesis!r}"
    if ops.endswith("="):
        result.pop()
    return (" " if words else "").join(result)


def units_of(text: str, words: bool) -> list[str]:
    """Return the units of a text: its words, or its characters if each is the code of a label."""
    return [word for word in text.split(" ") if word] if words else [*text]
