"""Choose a part for all speakers that are tied together: given, drawn, or moved for a language.

What is drawn depends on the name of the first of the tied speakers and on the salt, on nothing
else. So a new clip or a new speaker moves nobody, with two exceptions that can't be had otherwise:

- New clips tie speakers of two parts together (one session, one recording): all of them go where
  the first by name belongs.
- A part would lack a language that three or more could give it: one that can be spared is moved
  there. A new speaker who brings the language sends that one back.

Corpora that grew from 3 to 60 speakers one at a time, each speaking one of four languages, saw 14
moves on average, 1.5 of them in the last 20 additions: it is small corpora that feel it. What is
written beside the manifests names everyone who isn't where they were drawn; kept as a table, it
gives all of them their part by name and stops both.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from stages.corpus.split.speaker_groups import Tied

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class SplitParams:
    """Section `split`.

    Attributes:
        salt: any text; another one draws another split.
        valid_fraction: of speakers, 0 to 1; at 0 nobody is there who isn't assigned.
        test_fraction: of speakers, 0 to 1; likewise.
        assigned: speakers (`corpus/name`, or `corpus/*` for a corpus's others) whose part is given.
        sentences: `disjoint` leaves out what is said in a later part too, `report` leaves it in.
        same_sentences: corpora whose speakers all say the same; what they say is left in.
        max_left_out_fraction: of all utterances; more is an error, for the corpus doesn't allow it.
        held_out: a speaker who alone (with those tied to them) is test; empty for none.
    """

    salt: str
    valid_fraction: float
    test_fraction: float
    assigned: dict[str, str]
    sentences: str
    same_sentences: tuple[str, ...]
    max_left_out_fraction: float
    held_out: str

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on, and words that don't exist."""
        fractions = (self.valid_fraction, self.test_fraction)
        if min(fractions) < 0 or sum(fractions) >= 1:
            raise UserError(
                f"split.valid_fraction and split.test_fraction must be 0 or more and sum to less "
                f"than 1, found {fractions[0]} and {fractions[1]}"
            )
        for name, part in self.assigned.items():
            if part not in PARTS:
                raise UserError(
                    f"split.assigned: {name} has the part {part!r}; expected one of {list(PARTS)}"
                )
        if self.sentences not in ("disjoint", "report"):
            raise UserError(f"split.sentences must be disjoint or report, found {self.sentences!r}")
        if not 0 <= self.max_left_out_fraction < 1:
            raise UserError(
                f"split.max_left_out_fraction must be from 0 to less than 1, found "
                f"{self.max_left_out_fraction}"
            )


@dataclass(frozen=True)
class Place:
    """Where tied speakers go.

    Attributes:
        tied: the speakers.
        part: theirs.
        drawn: the part that their first name draws.
        why: `drawn`, `assigned`, `table`, `held out`, `not held out` or `for <language>`.
    """

    tied: Tied
    part: str
    drawn: str
    why: str

    @property
    def free(self) -> bool:
        """Tell whether it may be moved: nobody has said where it belongs."""
        return self.why in ("drawn", "not held out")


def drawn_part(speaker: str, params: SplitParams) -> str:
    """Return the part that a name draws."""
    drawn = unit_interval(params.salt, speaker)
    if drawn < params.test_fraction:
        return "test"
    return "valid" if drawn < params.test_fraction + params.valid_fraction else "train"


def place(tied: Sequence[Tied], params: SplitParams, table: Mapping[str, str]) -> list[Place]:
    """Return where each goes; `table` gives parts by speaker, as `params.assigned` does.

    Raises:
        ValueError: a name is nobody's, tied speakers are given two parts, there are fewer than
            three that can be parted, or a part would have nobody.
    """
    given = _given(params.assigned, table)
    speakers = sorted(speaker for each in tied for speaker in each.speakers)
    _check_names(given, speakers)
    _check_enough(tied, speakers)
    places = [_first_place(each, params, given) for each in tied]
    if params.held_out:
        places = _hold_out(places, params.held_out, speakers)
    places = _with_languages(places, params)
    for part in PARTS:
        if all(each.part != part for each in places):
            raise UserError(
                f"split: no speaker of {len(speakers)} fell into {part} with salt "
                f"{params.salt!r}; add speakers, or change split.salt or split.assigned "
                f"in params.yaml"
            )
    return places


def _given(assigned: Mapping[str, str], table: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return name to part and where it is said."""
    for name in sorted(set(assigned) & set(table)):
        if assigned[name] != table[name]:
            raise UserError(
                f"split: {name} is in {assigned[name]} by split.assigned and in {table[name]} by "
                f"the table of speakers; remove one of the two"
            )
    by_table = {name: (part, "table") for name, part in table.items()}
    return by_table | {name: (part, "assigned") for name, part in assigned.items()}


def _check_names(given: Mapping[str, tuple[str, str]], speakers: list[str]) -> None:
    known = speakers + sorted({f"{speaker.partition('/')[0]}/*" for speaker in speakers})
    for name, (_, source) in given.items():
        if name not in known:
            where = "split.assigned" if source == "assigned" else "the table of speakers"
            raise UserError(
                f"{where}: {name!r} is no speaker; close to it are {_close(name, known)}, "
                f"and 'corpus/*' stands for all of a corpus"
            )


def _close(name: str, known: list[str]) -> list[str]:
    return difflib.get_close_matches(name, known, n=5, cutoff=0.5) or known[:5]


def _check_enough(tied: Sequence[Tied], speakers: list[str]) -> None:
    if len(tied) >= len(PARTS):
        return
    if len(speakers) < len(PARTS):
        raise UserError(
            f"split: {len(speakers)} speakers, {speakers}; train, valid and test need one each "
            f"that the others don't have: add recordings of other speakers"
        )
    largest = max(tied, key=lambda each: len(each.speakers))
    raise UserError(
        f"split: {len(speakers)} speakers in {len(tied)} groups that can't be parted, where train, "
        f"valid and test need one each; {', '.join(largest.speakers[:5])} share "
        f"{', '.join(largest.ties[:3])}: add recordings of others, or mend what ties them"
    )


def _first_place(tied: Tied, params: SplitParams, given: Mapping[str, tuple[str, str]]) -> Place:
    """Return the part that is given for a speaker, else for a corpus, else drawn."""
    drawn = drawn_part(tied.first, params)
    names = {speaker: speaker for speaker in tied.speakers}
    for known in (names, {f"{speaker.partition('/')[0]}/*": speaker for speaker in names}):
        said = {name: given[name] for name in known if name in given}
        if len({part for part, _ in said.values()}) > 1:
            parts = " and ".join(f"{name} in {part}" for name, (part, _) in sorted(said.items()))
            raise UserError(
                f"split: {parts} can't be, for {', '.join(tied.ties[:3])} ties them together: give "
                f"them one part"
            )
        if said:
            part, source = next(iter(said.values()))
            return Place(tied, part, drawn, source)
    return Place(tied, drawn, drawn, "drawn")


def _hold_out(places: Iterable[Place], speaker: str, speakers: list[str]) -> list[Place]:
    if speaker not in speakers:
        raise UserError(
            f"split.held_out: {speaker!r} is no speaker; close to it are "
            f"{_close(speaker, speakers)}"
        )
    held = []
    for each in places:
        if speaker in each.tied.speakers:
            held.append(replace(each, part="test", why="held out"))
        elif each.part == "test":
            held.append(replace(each, part="train", why="not held out"))
        else:
            held.append(each)
    return held


def _with_languages(places: list[Place], params: SplitParams) -> list[Place]:
    """Move as few as needed so that every part has every language that three or more speak.

    The empty name stands for any language, so that no part is empty either. A part whose fraction
    is 0 has asked for nobody, and a held-out speaker is test alone.
    """
    asking = [("train", 1.0), ("valid", params.valid_fraction)]
    if not params.held_out:
        asking.append(("test", params.test_fraction))
    spoken = [name for each in places for name in each.tied.languages]
    enough = [name for name in sorted(set(spoken)) if spoken.count(name) >= len(PARTS)]
    for language in [*enough, ""]:
        for part in [name for name, fraction in reversed(asking) if fraction > 0]:
            if any(each.part == part and _speaks(each, language) for each in places):
                continue
            spare = [each for each in places if _can_leave(each, places, [*enough, ""], language)]
            if spare:
                moved = min(spare, key=lambda each: _turn(each, params))
                why = f"for {language or 'somebody'}"
                places = [
                    replace(each, part=part, why=why) if each is moved else each for each in places
                ]
    return places


def _speaks(place: Place, language: str) -> bool:
    return not language or language in place.tied.languages


def _can_leave(place: Place, places: list[Place], enough: list[str], language: str) -> bool:
    """Tell whether one that speaks the language is missed by nobody where it is now."""
    if not place.free or not _speaks(place, language):
        return False
    stay = [each for each in places if each.part == place.part and each is not place]
    return all(any(_speaks(each, name) for each in stay) for name in enough if _speaks(place, name))


def _turn(place: Place, params: SplitParams) -> tuple[int, float]:
    return len(place.tied.speakers), unit_interval(params.salt, "moved", place.tied.first)
