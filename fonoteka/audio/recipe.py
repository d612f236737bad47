"""Augmentation recipes: named lists of changes in configs/augment.yaml, checked when they are read.

    default:
      - {kind: speed, probability: 1.0, largest: 0.15}
      - {kind: noise, probability: 0.4, snr_db: [10.0, 30.0], colour: [0.0, 0.95]}

The changes are made in this order by `fonoteka.audio.augment`. A stage names a recipe in
params.yaml and declares that entry of the file in dvc.yaml, so a changed recipe makes its users
stale and no other stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.core.params import build

RECIPES = Path("configs/augment.yaml")
"""Relative to the top of the repository, where every command runs."""
CODECS = ("gsm", "mp3", "mu_law", "opus", "vorbis")
Range = tuple[float, ...]
"""Lowest and highest value; each draw is uniform between them."""


LIMITS: Mapping[str, tuple[float, float]] = {
    "coefficient": (-0.99, 0.99), "colour": (0.0, 0.999), "compression": (0.0, 1.0),
    "cutoff_hz": (200.0, 7900.0), "db": (-60.0, 60.0), "decay_s": (0.01, 5.0),
    "largest": (0.0, 1.0), "level": (0.0, 10.0), "probability": (0.0, 1.0),
    "semitones": (-12.0, 12.0), "snr_db": (-30.0, 100.0),
}  # fmt: skip
"""What each number of a change may be; names are the same in all kinds."""


@dataclass(frozen=True)
class AugmentChange:
    """One kind of change.

    Attributes:
        kind: the key of its class in `KINDS`.
        probability: share of the copies that are changed; 1 draws no random number for it.
    """

    kind: str
    probability: float


@dataclass(frozen=True)
class Speed(AugmentChange):
    """Speed, with pitch and formants; the only change that moves phones in time.

    Attributes:
        largest: relative change up or down: with 0.25 the factor is 1/1.25 to 1.25.
    """

    largest: float


@dataclass(frozen=True)
class Pitch(AugmentChange):
    """Pitch and formants at the same speed.

    Attributes:
        semitones: up, or down if below 0.
    """

    semitones: Range


@dataclass(frozen=True)
class Tilt(AugmentChange):
    """A first-order filter that raises or lowers high frequencies, as microphones do.

    Attributes:
        coefficient: of the filter; above 0 raises them.
    """

    coefficient: Range


@dataclass(frozen=True)
class Reverb(AugmentChange):
    """The tail of a small room.

    Attributes:
        decay_s: seconds until the tail has decreased by 60 dB.
        level: of the tail relative to the direct sound, as an amplitude.
    """

    decay_s: Range
    level: Range


@dataclass(frozen=True)
class Noise(AugmentChange):
    """Steady noise.

    Attributes:
        snr_db: signal-to-noise ratio.
        colour: 0 is white, 0.95 is almost brown.
    """

    snr_db: Range
    colour: Range


@dataclass(frozen=True)
class Band(AugmentChange):
    """A low-pass filter of order 6.

    Attributes:
        cutoff_hz: its -3 dB frequency; a telephone's is 3.4 kHz.
    """

    cutoff_hz: Range


@dataclass(frozen=True)
class Codec(AugmentChange):
    """Encoding and decoding with loss.

    Attributes:
        formats: one is drawn; `gsm` and `mu_law` are at 8 kHz, the others at 16 kHz.
        compression: of mp3, opus and vorbis: 0 is the highest bit rate, 1 the lowest.
    """

    formats: tuple[str, ...]
    compression: Range


@dataclass(frozen=True)
class Gain(AugmentChange):
    """Another level.

    Attributes:
        db: added.
    """

    db: Range


KINDS: Mapping[str, type[AugmentChange]] = {
    "band": Band, "codec": Codec, "gain": Gain, "noise": Noise, "pitch": Pitch, "reverb": Reverb,
    "speed": Speed, "tilt": Tilt,
}  # fmt: skip


@dataclass(frozen=True)
class AugmentRecipe:
    """Changes in the order in which they are made; without one, a copy equals its clip."""

    name: str
    changes: tuple[AugmentChange, ...]

    @property
    def slowest(self) -> float:
        """The largest length of a copy relative to its clip, at least 1."""
        longest = 1.0
        for change in self.changes:
            if isinstance(change, Speed) and change.probability:
                longest *= 1 + change.largest
        return longest


NONE = AugmentRecipe("none", ())


def load_recipe(name: str, key: str, path: Path = RECIPES) -> AugmentRecipe:
    """Return a recipe of a file.

    Args:
        name: of the recipe.
        key: what names it, for messages: a key of params.yaml such as `embed.augment`, or an
            option of a command.
        path: of the file.

    Raises:
        UserError: the file is missing or broken, it has no such recipe, or this recipe has an
            unknown kind or key or an impossible value.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the top of the repository")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    recipes = document if isinstance(document, Mapping) else {}
    if name not in recipes:
        raise UserError(
            f"{key}: {path} has no recipe {name!r}; use one of {sorted(map(str, recipes))} or "
            "add it"
        )
    entries = recipes[name]
    if not isinstance(entries, list):
        raise UserError(f"{path}: {name}: expected a list of changes, found {entries!r}")
    places = (f"{path}: {name}[{number}]" for number in range(len(entries)))
    return AugmentRecipe(name, tuple(map(_change, entries, places)))


def _change(values: Any, place: str) -> AugmentChange:
    if not isinstance(values, Mapping):
        raise UserError(f"{place}: expected a kind with its values, found {values!r}")
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{place}: kind {kind!r} is not one of {sorted(KINDS)}")
    change = build(values, KINDS[kind], f"{place}: {kind}")
    for each in fields(change):
        if problem := _problem(getattr(change, each.name), LIMITS.get(each.name)):
            raise UserError(f"{place}: {kind}: {each.name}: {problem}")
    return change


def _problem(value: Any, allowed: tuple[float, float] | None) -> str:
    """Return what is wrong with a value, or nothing."""
    if allowed is None:  # `kind`, or the formats of a codec
        wrong = sorted({*value} - {*CODECS}) if isinstance(value, tuple) else []
        unusable = wrong or value == ()
        return f"expected some of {list(CODECS)}, found {list(value)}" if unusable else ""
    low, high = allowed
    # YAML has a NaN too, with which each comparison is false.
    inside = all(low <= v <= high for v in (value if isinstance(value, tuple) else (value,)))
    if isinstance(value, float):
        return "" if inside else f"expected a number in [{low:g}, {high:g}], found {value:g}"
    if len(value) == 2 and inside and value[0] <= value[1]:
        return ""
    return f"expected two ascending numbers in [{low:g}, {high:g}], found {list(value)}"
