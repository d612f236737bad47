"""The speakers of the embedded corpus: variants of espeak-ng, each with its own pitch and rate."""

from __future__ import annotations

from dataclasses import dataclass, fields

from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval

# One variant is one speaker: two speakers of one variant would be one voice in two splits. The
# wheel has 104 variants. Whispers and robots are left out, and one of every two similar voices
# (mean distance of MFCC over the same phones below 3.1; distinct voices are near 12).
VARIANTS = (
    "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Gene2", "Hugo", "Jacky", "Lee", "Marco",
    "Mario", "Reed", "RicishayMax", "RicishayMax2", "RicishayMax3", "Storm", "Tweaky", "anika",
    "announcer", "antonio", "belinda", "boris", "caleb", "david", "ed", "edward", "edward2", "f1",
    "f2", "f3", "f4", "f5", "grandma", "grandpa", "gustave", "ian", "iven", "iven4", "john",
    "kaukovalta", "klatt3", "linda", "m1", "m2", "m3", "m4", "m5", "m7", "m8", "marcelo", "max",
    "miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "robert", "sandro", "shelby",
    "steph3", "travis", "victor", "zac",
)  # fmt: skip


@dataclass(frozen=True)
class Ranges:
    """Ranges of a voice's settings, ends included; see `fonoteka.g2p.espeak.speak`."""

    rate_wpm_min: int
    rate_wpm_max: int
    pitch_min: int
    pitch_max: int
    pitch_range_min: int
    pitch_range_max: int

    def __post_init__(self) -> None:
        """Raise for settings outside espeak-ng's ranges, which it would replace silently."""
        for name, low, high in (("rate_wpm", 80, 450), ("pitch", 0, 99), ("pitch_range", 0, 99)):
            least, most = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if not low <= least <= most <= high:
                raise UserError(
                    f"synthesize.ranges: {name}_min and {name}_max must rise within {low} to "
                    f"{high}, found {least} and {most}"
                )


@dataclass(frozen=True)
class Voice:
    """One speaker: a variant and its settings."""

    name: str
    rate_wpm: int
    pitch: int
    pitch_range: int


def voice_of(name: str, ranges: Ranges, seed: str) -> Voice:
    """Return a variant's settings, drawn from its name and the seed only.

    >>> ranges = Ranges(150, 150, 40, 60, 50, 50)
    >>> voice_of("f2", ranges, "a").rate_wpm, 40 <= voice_of("f2", ranges, "a").pitch <= 60
    (150, True)
    """
    drawn = {}
    for field in fields(Voice)[1:]:
        least, most = getattr(ranges, f"{field.name}_min"), getattr(ranges, f"{field.name}_max")
        share = unit_interval(seed, "voice", name, field.name)
        drawn[field.name] = least + int(share * (most - least + 1))
    return Voice(name, **drawn)
