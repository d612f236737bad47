"""Bring the answers of annotators back as a corpus.

    python -m fonoteka select import export.json --name radio_1 --licence "CC BY 4.0"

Reads   an export of Label Studio, the ledger, and the recordings of the corpora in data/raw
Writes  data/raw/NAME/ with the recordings, corpus.json and metadata.csv, which has the columns
        annotator, lead_time_s and origin besides the usual ones; data/raw/NAME.dvc; the ledger

The new corpus has copies of the recordings: a corpus is never changed once models depend on it. The
untranscribed originals stay where they are, and the inventory leaves them out as `no transcript`.
Nothing is written if an answer is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, write_json
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms, own_terms
from fonoteka.corpus.corpus import (
    CARD,
    GUESSED,
    TABLE,
    TABLE_COLUMNS,
    Card,
    CorpusClip,
    read_card,
    read_clips,
)
from fonoteka.corpus.importers.add import check_name, next_steps, track
from fonoteka.git import entered
from fonoteka.selection.label_studio import Annotation, read_answers
from fonoteka.selection.ledger import LEDGER, QueuedClip, locked, read_ledger, write_ledger
from fonoteka.selection.pool import ORIGIN, RAW
from fonoteka.selection.same_speakers import rows_to_add
from fonoteka.tables import write_table

COLUMNS = (
    *TABLE_COLUMNS, "session", "sex", "licence", "source", "annotator", "lead_time_s", ORIGIN,
)  # fmt: skip


@dataclass(frozen=True)
class Transcribed:
    """An answer with the recording that it is of.

    Attributes:
        answer: of the annotator.
        queued: the recording's row of the ledger.
        clip: its row of metadata.csv.
        file: the recording.
        terms: its licence and source.
    """

    answer: Annotation
    queued: QueuedClip
    clip: CorpusClip
    file: Path
    terms: ClipTerms

    @property
    def path(self) -> str:
        """The path in the new corpus; two corpora may have recordings of one name."""
        return f"{self.queued.corpus}/{self.queued.path}"


@dataclass
class Sorted:
    """The answers of an export by what becomes of them."""

    usable: list[Transcribed] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    skipped: int = 0
    imported: int = 0


def sort_answers(
    answers: Sequence[Annotation], ledger: Mapping[str, QueuedClip], raw: Path
) -> Sorted:
    """Return which answers can be imported, and the reasons of the others.

    Args:
        answers: of an export.
        ledger: the queued clips by id.
        raw: folder of the corpora.

    Raises:
        UserError: a task is not of a queue of this project, or two tasks are of one clip.
    """
    result = Sorted()
    corpora = _Corpora(raw)
    seen: dict[str, str] = {}
    for answer in answers:
        queued = _queued(answer, ledger)
        if answer.clip in seen:
            raise UserError(
                f"{answer.place}: clip {answer.clip!r} is also {seen[answer.clip]}; remove one of "
                "the two tasks in Label Studio and export again"
            )
        seen[answer.clip] = answer.place
        if answer.skipped:
            result.skipped += 1
        elif queued.imported:
            result.imported += 1
        elif problem := _problem(answer, queued, corpora):
            result.refused.append(problem)
        else:
            result.usable.append(corpora.transcribed(answer, queued))
    return result


def _queued(answer: Annotation, ledger: Mapping[str, QueuedClip]) -> QueuedClip:
    queued = ledger.get(answer.clip)
    if queued is None:
        raise UserError(
            f"{answer.place}: clip {answer.clip!r} is in no queue of {LEDGER}; export the project "
            "that a queue of this one was imported into"
        )
    if answer.sha256 != queued.sha256:
        raise UserError(
            f"{answer.place}: clip {answer.clip!r} has hash {answer.sha256[:12]!r}, but {LEDGER} "
            f"has {queued.sha256[:12]!r}; it is the queue of another project"
        )
    return queued


def _problem(answer: Annotation, queued: QueuedClip, corpora: _Corpora) -> str:
    """Return why an answer cannot be imported; empty if it can."""
    name = f"{queued.corpus}/{queued.path}"
    if corpora.clip(queued) is None:
        return f"{answer.place}: {name} was erased from {corpora.raw} since it was queued"
    if sha256_file(corpora.raw / queued.corpus / queued.path) != queued.sha256:
        return f"{answer.place}: {name} is another recording than the one that was queued"
    if not answer.text:
        return f"{answer.place}: the answer for {name} is empty; write it or skip the task"
    return ""


class _Corpora:
    """The corpora of queued clips, each read once."""

    def __init__(self, raw: Path) -> None:
        self.raw = raw
        self.clips: dict[str, dict[str, CorpusClip]] = {}
        self.terms: dict[str, dict[str, ClipTerms]] = {}
        self.cards: dict[str, Card] = {}

    def clip(self, queued: QueuedClip) -> CorpusClip | None:
        """Return a clip's row, or None if the corpus or the row does not exist any more."""
        name = queued.corpus
        if name not in self.clips:
            self.clips[name] = {}
            if (self.raw / name / CARD).is_file():
                self.cards[name] = read_card(self.raw / name)
                self.clips[name] = {clip.path: clip for clip in read_clips(self.raw / name)}
                self.terms[name] = own_terms(self.raw / name)
        return self.clips[name].get(queued.path)

    def transcribed(self, answer: Annotation, queued: QueuedClip) -> Transcribed:
        """Return an answer with the recording that it is of, which exists."""
        clip, name = self.clips[queued.corpus][queued.path], queued.corpus
        terms = self.terms[name].get(queued.path, AS_THE_CORPUS).within(self.cards[name])
        return Transcribed(answer, queued, clip, self.raw / name / queued.path, terms)


def write_corpus(out: Path, clips: Sequence[Transcribed], card: Card) -> None:
    """Write the corpus of answers: copies, table and card."""
    with atomic_folder(out) as part:
        for each in clips:
            target = part / each.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(each.file, target)
        rows = [_row(each) for each in sorted(clips, key=lambda each: each.path)]
        write_table(part / TABLE, COLUMNS, rows)
        write_json(part / CARD, asdict(card))


def _row(each: Transcribed) -> dict[str, str]:
    lead = each.answer.lead_time_s
    return {
        "path": each.path, "text": each.answer.text, "speaker": each.clip.speaker,
        "language": each.clip.language or GUESSED, "session": each.clip.session,
        "sex": each.clip.sex, "licence": each.terms.licence, "source": each.terms.source,
        "annotator": each.answer.annotator, "lead_time_s": "" if lead is None else f"{lead:.1f}",
        ORIGIN: each.queued.id,
    }  # fmt: skip


def run(export: Path, name: str, licence: str, leave_out: bool, *, dvc: bool = True) -> None:
    """Import an export at the top of the project, and print what is left to do.

    Args:
        export: of Label Studio.
        name: of the new corpus.
        licence: of the new corpus; empty if all recordings have one licence.
        leave_out: whether to import the rest if answers are refused.
        dvc: whether DVC tracks the new corpus.

    Raises:
        UserError: the export is of another project, an answer is refused, or no answer is new.
    """
    with entered(), locked(LEDGER):
        check_name(name, RAW)
        ledger = read_ledger(LEDGER)
        sorted_ = sort_answers(read_answers(export), ledger, RAW)
        refused = sorted_.refused
        print(
            f"export     {len(sorted_.usable)} new answers, {sorted_.imported} imported before, "
            f"{sorted_.skipped} skipped or open, {len(refused)} refused"
        )
        if refused and not leave_out:
            others = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise UserError(f"{refused[0]}{others}; --leave-out imports the rest")
        for problem in refused:
            print(f"left out   {problem}")
        if not sorted_.usable:
            raise UserError(f"{export}: no answer is new; the corpus {name} is not written")
        # The corpus first: a kill after it leaves a folder that the next run refuses by name;
        # the other order would mark answers as imported that no corpus has.
        write_corpus(RAW / name, sorted_.usable, _card(name, licence, sorted_.usable))
        done = {each.queued.id for each in sorted_.usable}
        write_ledger(
            LEDGER, [replace(q, imported=name) if q.id in done else q for q in ledger.values()]
        )
        if dvc:
            track(RAW / name)
        print(_report(sorted_.usable))
        if rows := rows_to_add(name, _other_corpora(sorted_.usable, ledger)):
            print("speakers   add to data/speakers.csv, so that each is in one part:", *rows)
        print(next_steps(RAW / name, tracked=dvc))


def _card(name: str, licence: str, clips: Sequence[Transcribed]) -> Card:
    licences = sorted({each.terms.licence for each in clips})
    if not licence and len(licences) > 1:
        raise UserError(
            f"the recordings have the licences {licences}; give --licence for the whole"
        )
    corpora = ", ".join(sorted({each.queued.corpus for each in clips}))
    synthetic = all(read_card(RAW / each.queued.corpus).synthetic for each in clips)
    return Card(name, licence or licences[0], f"transcripts of {corpora}", synthetic)


def _other_corpora(
    clips: Sequence[Transcribed], ledger: Mapping[str, QueuedClip]
) -> dict[str, set[str]]:
    """Return the corpora that may have other recordings of each speaker."""
    others: dict[str, set[str]] = {}
    for each in clips:
        origin = each.queued.corpus
        imported = {q.imported for q in ledger.values() if q.corpus == origin and q.imported}
        others.setdefault(each.clip.speaker, {origin}).update(imported)
    return others


def _report(clips: Sequence[Transcribed]) -> str:
    """Return the work of each annotator."""
    lines = []
    for annotator in sorted({each.answer.annotator for each in clips}):
        own = [each for each in clips if each.answer.annotator == annotator]
        spoken = sum(float(each.queued.seconds) for each in own)
        worked = sum(each.answer.lead_time_s or 0.0 for each in own)
        lines.append(
            f"annotator  {annotator or 'unknown'}: {len(own)} recordings, {spoken:.1f} s of speech "
            f"in {worked:.1f} s of work"
        )
    return "\n".join(lines)
