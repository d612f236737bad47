"""The card of a model: what `GET /v1/models/NAME` returns."""

from __future__ import annotations

from collections.abc import Sequence

from fonoteka.packaging import CARD
from fonoteka.service.registry.catalogue import CheckedModel

PASSED, NOT_CHECKED = "passed", "not checked"


def card_of(model: CheckedModel, aliases: Sequence[str], refused: str | None) -> dict[str, object]:
    """Return the card of a model as JSON values.

    Args:
        model: that is offered.
        aliases: further names.
        refused: why a newer package of it is not used; None if it is the newest.
    """
    package, numbers = model.package, model.numbers
    return {
        "name": package.version.name,
        "version": package.version.version,
        "kind": str(package.version.kind),
        "aliases": list(aliases),
        "created": package.created,
        "description": package.description,
        "readme": f"{package.path}/{CARD}" if CARD in package.files else None,
        "languages": list(package.languages),
        "labels": list(package.labels),
        "licence": package.licence,
        "files": {name: dict(entry) for name, entry in package.files.items()},
        "gates": NOT_CHECKED if numbers is None else PASSED,
        "metrics": {
            metric: {
                "number": number.name, "value": number.value, "limit": number.limit,
                "direction": number.direction, "passed": True,
            }
            for metric, number in sorted((numbers or {}).items())
        },
        "releases": [
            {"model": release.model, "version": release.version, "stages": list(release.stages)}
            for release in model.releases
        ],
        "newer_refused": refused,
    }  # fmt: skip
