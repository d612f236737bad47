"""Section `hub` of params.yaml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubParams:
    """Section `hub`.

    Attributes:
        base_models: beginning of the name of a fetched package, and the model of a hub that the
            package contains.
        licence_ids: licences of clips that may be passed on, as in corpus.json, with `*` for any
            text, and the name of each on a hub. Clips under other licences are left out.
        title: of the data set.
    """

    base_models: dict[str, str]
    licence_ids: dict[str, str]
    title: str
