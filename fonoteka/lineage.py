"""What weights were learned from, and under which licence they may go out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance

PARTS = ("train", "valid", "test")
LEARNED = ("train", "valid")  # weights come from one, and the other says which of them are kept

Manifests = Mapping[str, Sequence[Utterance]]


@dataclass(frozen=True)
class PackageParams:
    """Section `package`.

    Attributes:
        licence: of weights that were learned from data under `compatible_licences` alone.
        compatible_licences: of corpora, whole, `*` for any text; what is not among them leaves the
            weights without a stated licence.
    """

    licence: str
    compatible_licences: tuple[str, ...]


def read_parts(splits: Path) -> Manifests:
    """Return the manifests of all parts.

    Raises:
        ValueError: a voice is in two of them.
    """
    manifests = {part: manifest.read(splits / f"{part}.jsonl") for part in PARTS}
    check_voices(manifests)
    return manifests


def check_voices(manifests: Manifests) -> None:
    """Refuse to say on a card that no voice is in two parts where one is."""
    voices = {part: {u.speaker for u in rows} for part, rows in manifests.items()}
    for one, other in combinations(PARTS, 2):
        if shared := sorted(voices[one] & voices[other]):
            raise UserError(f"voice {shared[0]!r} is in {one} and in {other}; run dvc repro")


def corpora(manifests: Manifests) -> list[dict[str, Any]]:
    """Return each corpus under each of its licences, with its clips in each part."""
    groups: Counter[tuple[str, str, bool, str]] = Counter(
        (u.source, u.licence, u.synthetic, part) for part, rows in manifests.items() for u in rows
    )
    return [
        {
            "corpus": source, "licence": licence, "synthetic": synthetic,
            "clips": {part: groups[source, licence, synthetic, part] for part in PARTS},
        }
        for source, licence, synthetic in sorted({group[:3] for group in groups})
    ]  # fmt: skip


def licence_of(
    manifests: Manifests, fetched: Sequence[str], params: PackageParams
) -> dict[str, Any]:
    """Return the licence of the weights, or None and why none is stated.

    What a licence of recordings means for weights is not decided here: a person has named those
    that are compatible, and all others are shown instead of interpreted.

    Args:
        manifests: of all parts; of those that weights were learned from the licences count.
        fetched: encoders that others trained, by name and revision.
        params: what a person has decided.
    """
    found = sorted({u.licence for part in LEARNED for u in manifests[part]})
    allowed = [pattern.casefold() for pattern in params.compatible_licences]
    foreign = [f for f in found if not any(fnmatchcase(f.casefold(), a) for a in allowed)]
    return {
        "weights": None if foreign or fetched else params.licence,
        "training_data": found, "to_be_read": [*foreign, *fetched],
    }  # fmt: skip
