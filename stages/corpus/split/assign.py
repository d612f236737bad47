"""Assign each speaker group to a split: by name, by a draw, or moved for a language.

The draw depends on the name of the first speaker of the group and on the salt only. So a new clip
or a new speaker moves no other speaker, with two exceptions that cannot be avoided:

- New clips connect speakers of two splits (one session, one recording). All of them are assigned to
  the split of the first by name.
- A split would lack a language that three or more groups speak. A group that its split can spare is
  moved there. A new speaker of the language moves that group back.

Corpora that grew from 3 to 60 speakers one at a time, each speaking one of four languages, had 14
moves on average, 1.5 of them in the last 20 additions, so small corpora are affected most. The
table of speakers has the reason of each assignment that was not drawn. As the stage's input table,
it fixes the split of every speaker and prevents both.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.manifest import PARTS
from stages.corpus.split.speaker_groups import SpeakerGroup


@dataclass(frozen=True)
class SplitParams:
    """Section `split`.

    Attributes:
        salt: any text; another one draws another split.
        valid_fraction: of speakers, 0 to 1; at 0, only assigned speakers are in valid.
        test_fraction: of speakers, 0 to 1; at 0, only assigned speakers are in test.
        assigned: speaker (`corpus/name`, or `corpus/*` for all others of a corpus) to split.
        sentences: `disjoint` leaves out sentences that a later split has too, `report` does not.
        same_sentences: corpora whose speakers read the same sentences; these are not left out.
        max_left_out_fraction: of all utterances, 0 to 1; it is an error to leave out more.
        held_out: the speaker whose group alone is test; empty for a drawn test split.
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
        """Raise for fractions that leave nothing to train on, and for unknown words."""
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
class Assignment:
    """The split of one speaker group.

    Attributes:
        group: the speakers.
        part: their split.
        drawn: the split that their first name draws.
        reason: `drawn`, `assigned`, `table`, `held out`, `not held out` or `for <language>`.
    """

    group: SpeakerGroup
    part: str
    drawn: str
    reason: str

    @property
    def movable(self) -> bool:
        """Whether the group may be moved, because its split was not given by the user."""
        return self.reason in ("drawn", "not held out")


def drawn_part(speaker: str, params: SplitParams) -> str:
    """Return the split that a name draws."""
    drawn = unit_interval(params.salt, speaker)
    if drawn < params.test_fraction:
        return "test"
    return "valid" if drawn < params.test_fraction + params.valid_fraction else "train"


def assign_splits(
    groups: Sequence[SpeakerGroup], params: SplitParams, table: Mapping[str, str]
) -> list[Assignment]:
    """Return the split of each group; `table` gives splits by speaker, as `params.assigned` does.

    Raises:
        UserError: a name is not a speaker's, a group has two explicit splits, there are fewer than
            three groups, or a split would have no speaker.
    """
    explicit = _explicit_parts(params.assigned, table)
    speakers = sorted(speaker for item in groups for speaker in item.speakers)
    _check_names(explicit, speakers)
    _check_enough(groups, speakers)
    assignments = [_first_assignment(item, params, explicit) for item in groups]
    if params.held_out:
        assignments = _hold_out(assignments, params.held_out, speakers)
    assignments = _with_languages(assignments, params)
    for part in PARTS:
        if all(item.part != part for item in assignments):
            raise UserError(
                f"split: no speaker of {len(speakers)} fell into {part} with salt "
                f"{params.salt!r}; add speakers, or change split.salt or split.assigned "
                f"in params.yaml"
            )
    return assignments


def _explicit_parts(
    assigned: Mapping[str, str], table: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return name to split and its source, `assigned` or `table`."""
    for name in sorted(set(assigned) & set(table)):
        if assigned[name] != table[name]:
            raise UserError(
                f"split: {name} is in {assigned[name]} by split.assigned and in {table[name]} by "
                f"the table of speakers; remove one of the two"
            )
    by_table = {name: (part, "table") for name, part in table.items()}
    return by_table | {name: (part, "assigned") for name, part in assigned.items()}


def _check_names(explicit: Mapping[str, tuple[str, str]], speakers: list[str]) -> None:
    names = speakers + sorted({f"{speaker.partition('/')[0]}/*" for speaker in speakers})
    for name, (_, source) in explicit.items():
        if name not in names:
            source_text = "split.assigned" if source == "assigned" else "the table of speakers"
            raise UserError(
                f"{source_text}: {name!r} is not a speaker; close to it are "
                f"{_similar_names(name, names)}, "
                f"and 'corpus/*' stands for all of a corpus"
            )


def _similar_names(name: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=5, cutoff=0.5) or names[:5]


def _check_enough(groups: Sequence[SpeakerGroup], speakers: list[str]) -> None:
    if len(groups) >= len(PARTS):
        return
    if len(speakers) < len(PARTS):
        raise UserError(
            f"split: {len(speakers)} speakers, {speakers}; train, valid and test need one each "
            f"that the others do not have: add recordings of other speakers"
        )
    largest = max(groups, key=lambda group: len(group.speakers))
    raise UserError(
        f"split: {len(speakers)} speakers in {len(groups)} groups that must stay whole, but train, "
        f"valid and test need one each; {', '.join(largest.speakers[:5])} share "
        f"{', '.join(largest.shared[:3])}: add recordings of other speakers, or "
        f"correct what these share"
    )


def _first_assignment(
    group: SpeakerGroup, params: SplitParams, explicit: Mapping[str, tuple[str, str]]
) -> Assignment:
    """Return the split that is given for a speaker, else for the corpus, else drawn."""
    drawn = drawn_part(group.first, params)
    speakers = {speaker: speaker for speaker in group.speakers}
    corpora = {f"{speaker.partition('/')[0]}/*": speaker for speaker in speakers}
    for names in (speakers, corpora):
        explicit_here = {name: explicit[name] for name in names if name in explicit}
        if len({part for part, _ in explicit_here.values()}) > 1:
            parts = " and ".join(
                f"{name} in {part}" for name, (part, _) in sorted(explicit_here.items())
            )
            raise UserError(
                f"split: {parts} cannot both be, because they share "
                f"{', '.join(group.shared[:3])}; give them one part"
            )
        if explicit_here:
            part, source = next(iter(explicit_here.values()))
            return Assignment(group, part, drawn, source)
    return Assignment(group, drawn, drawn, "drawn")


def _hold_out(
    assignments: Iterable[Assignment], speaker: str, speakers: list[str]
) -> list[Assignment]:
    if speaker not in speakers:
        raise UserError(
            f"split.held_out: {speaker!r} is not a speaker; close to it are "
            f"{_similar_names(speaker, speakers)}"
        )
    result = []
    for assignment in assignments:
        if speaker in assignment.group.speakers:
            result.append(replace(assignment, part="test", reason="held out"))
        elif assignment.part == "test":
            result.append(replace(assignment, part="train", reason="not held out"))
        else:
            result.append(assignment)
    return result


def _with_languages(assignments: list[Assignment], params: SplitParams) -> list[Assignment]:
    """Move the fewest groups, so that every split has each language of three or more groups.

    The empty name means any language, so that no split is empty either. A split whose fraction is 0
    gets no group, and neither does test if a speaker is held out.
    """
    wanted_parts = [("train", 1.0), ("valid", params.valid_fraction)]
    if not params.held_out:
        wanted_parts.append(("test", params.test_fraction))
    spoken = [name for assignment in assignments for name in assignment.group.languages]
    common = [name for name in sorted(set(spoken)) if spoken.count(name) >= len(PARTS)]
    # Test and valid choose first, because train has most groups and can spare most.
    for language in [*common, ""]:
        for part in [name for name, fraction in reversed(wanted_parts) if fraction > 0]:
            if any(
                assignment.part == part and _speaks(assignment, language)
                for assignment in assignments
            ):
                continue
            spare = [
                assignment
                for assignment in assignments
                if _can_move(assignment, assignments, [*common, ""], language)
            ]
            if spare:
                moved = min(spare, key=lambda assignment: _move_order(assignment, params))
                reason = f"for {language or 'somebody'}"
                assignments = [
                    replace(each, part=part, reason=reason) if each is moved else each
                    for each in assignments
                ]
    return assignments


def _speaks(assignment: Assignment, language: str) -> bool:
    return not language or language in assignment.group.languages


def _can_move(
    assignment: Assignment, assignments: list[Assignment], common: list[str], language: str
) -> bool:
    """Return whether a group speaks the language, and its split keeps its languages without it."""
    if not assignment.movable or not _speaks(assignment, language):
        return False
    others = [
        other for other in assignments if other.part == assignment.part and other is not assignment
    ]
    return all(
        any(_speaks(other, name) for other in others)
        for name in common
        if _speaks(assignment, name)
    )


def _move_order(assignment: Assignment, params: SplitParams) -> tuple[int, float]:
    return len(assignment.group.speakers), unit_interval(
        params.salt, "moved", assignment.group.first
    )
