"""Pseudonyms of speakers for files in git.

More people read a report than the recordings, and git keeps every version. So reports call a person
`corpus/speaker 003`: the third of the corpus's speakers by name, as listed in
data/splits/speakers.csv, which is not in git. A hash of the name would be as stable, but anyone who
guesses a name could hash it and learn that the person is in the corpus. Synthetic voices are not
persons and keep their names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.tables import read_table


@dataclass(frozen=True)
class PrivacyParams:
    """Section `privacy`.

    Attributes:
        name_people: whether files in git may name speakers and clips, quote words of a text and
            state the source of single clips. The contents of corpus.json are public and are shown
            in any case.
    """

    name_people: bool


def aliases(speakers: Iterable[str]) -> dict[str, str]:
    """Return the pseudonym of each speaker.

    Numbers are assigned within a corpus, so they do not depend on other corpora.

    Args:
        speakers: all speakers of each corpus, as `corpus/name`.

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


def pseudonyms_of(people: Iterable[str], table: Path) -> dict[str, str]:
    """Return the pseudonyms of speakers who are persons.

    Args:
        people: their names, as `corpus/name`.
        table: data/splits/speakers.csv, which lists all speakers.

    Raises:
        UserError: one of them is not in the table.
    """
    names = set(people)
    existing = aliases(row["speaker"] for row in read_table(table, ("speaker",)))
    if missing := sorted(names - set(existing)):
        raise UserError(
            f"{table}: {len(missing)} speakers of the test part have no row, first "
            f"{missing[0]!r}; run dvc repro"
        )
    return {name: existing[name] for name in names}
