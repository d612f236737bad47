"""Speak of people in what goes into git without naming them.

A report is read by more people than the recordings are, and git forgets nothing. So a person is
`corpus/speaker 003` there: the third of that corpus's speakers by name, as data/splits/speakers.csv
lists them, which isn't in git. A hash of the name would be as stable, but whoever guesses a name
can hash it too and know that it is there. A synthetic voice is no person and keeps its name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class PrivacyParams:
    """Section `privacy`.

    Attributes:
        name_people: whether what is in git may name speakers and clips, quote words of a text and
            say where single clips come from. What corpus.json says is meant for all and is shown
            in any case.
    """

    name_people: bool


def aliases(speakers: Iterable[str]) -> dict[str, str]:
    """Return what each speaker is called where people have no names.

    Numbers are counted within a corpus: those of another corpus change nothing.

    Args:
        speakers: all of each corpus, as `corpus/name`.

    >>> aliases(["a/ivo", "b/ana", "a/ana", "a/ivo"])
    {'a/ana': 'a/speaker 001', 'a/ivo': 'a/speaker 002', 'b/ana': 'b/speaker 001'}
    """
    of_corpus: dict[str, list[str]] = defaultdict(list)
    for speaker in sorted(set(speakers)):
        of_corpus[speaker.partition("/")[0]].append(speaker)
    return {
        speaker: f"{corpus}/speaker {number:03}"
        for corpus, names in of_corpus.items()
        for number, speaker in enumerate(names, start=1)
    }
