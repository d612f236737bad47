"""What weights were learned from, and under which licence they may go out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.licences import matches_licence
from fonoteka.manifest import PARTS, Utterance

LEARNED = ("train", "valid")  # weights are trained on the first, and chosen by the second

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
    """Refuse manifests with a voice in two parts, because a card states that there is none."""
    voices = {part: {u.speaker for u in rows} for part, rows in manifests.items()}
    for part, other_part in combinations(PARTS, 2):
        if shared := sorted(voices[part] & voices[other_part]):
            raise UserError(f"voice {shared[0]!r} is in {part} and in {other_part}; run dvc repro")


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
    manifests: Manifests, fetched: Mapping[str, str | None], params: PackageParams
) -> dict[str, Any]:
    """Return the licence of the weights, or None with the licences to be read.

    The code does not interpret licences: `params` names the compatible ones, and all others are
    listed for the reader.

    Args:
        manifests: of all parts; only the licences of training and validation data count.
        fetched: licences of weights that others trained, by name and revision; None if it is not
            stated.
        params: with the compatible licences.
    """
    licences = sorted({u.licence for part in LEARNED for u in manifests[part]})

    def foreign(licence: str) -> bool:
        return not matches_licence(licence, params.compatible_licences)

    unread = [licence for licence in licences if foreign(licence)]
    unread += [name for name, licence in sorted(fetched.items()) if foreign(licence or "")]
    return {
        "weights": None if unread else params.licence,
        "training_data": licences, "to_be_read": unread,
        "fetched_weights": dict(sorted(fetched.items())),
    }  # fmt: skip
