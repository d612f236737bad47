"""Erase a person's recordings from a corpus, and show what else was made from them.

    python -m fonoteka corpus erase --speaker corpus/name          # shows what exists
    python -m fonoteka corpus erase --speaker corpus/name --yes    # removes it
    python -m fonoteka corpus erase --source corpus --yes          # corpus/source: a part of one

Reads   data/raw/NAME, dvc.lock, DVC's cache, git's history
Writes  with --yes: data/raw/NAME and NAME.dvc, data/speakers.csv, and in .dvc/tmp a list of
        objects; the results of the clips are removed from the cache of results

DVC's caches, remotes and history are not changed, because that cannot be undone: their commands are
printed. Run again, it shows what still exists.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import yaml

from fonoteka.compute.cache_folder import cache_folder
from fonoteka.compute.clip_results import forget_files
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.corpus.corpus import TABLE
from fonoteka.corpus.importers.add import track
from fonoteka.erasure.find_clips import RAW, PersonalData, Subject, collect, parse_subject
from fonoteka.erasure.report import command, findings, line, steps
from fonoteka.erasure.rewrite import COLUMNS, recover, rewrite
from fonoteka.erasure.storage import open_storage
from fonoteka.erasure.trace import SPEAKERS, Trace, find_trace
from fonoteka.git import entered
from fonoteka.tables import read_table, write_table


def erase(speaker: str = "", source: str = "", also: Sequence[str] = (), *, yes: bool) -> int:
    """Print what exists of a subject and what is left to do; with `yes`, remove its recordings.

    Args:
        speaker: `corpus/name`; empty if `source` is given.
        source: `corpus` or `corpus/source`.
        also: paths in the corpus that are the subject's too, although no row says so.
        yes: whether to remove the recordings.

    Returns:
        The exit code, 0.

    Raises:
        UserError: the subject is wrong or unknown, a stage makes the corpus, or DVC fails.
    """
    subject = parse_subject(speaker, source)
    with entered():
        _check_corpus(subject)
        storage, data = open_storage(), collect(subject, also)
        trace = find_trace(subject, data, storage)
        _check_found(subject, data, trace)
        print(line("erase", ascii(str(subject))))
        print("\n".join(findings(subject, data, trace)))
        # The name of the list is public to all users of the machine, so it is not the subject's.
        name = hashlib.sha256(str(subject).encode()).hexdigest()[:12]
        listed = Path(f".dvc/tmp/erase/{name}.txt")
        left = list(steps(subject, data, trace, storage, listed))
        if yes:
            if trace.objects:
                write_text(listed, "\n".join(trace.objects))
            _remove(subject, data, trace)
            print(line("done", f"nothing is left in {subject.folder}; still to do:"))
        else:
            text = f"nothing was changed; this removes the files: {command(subject, '--yes')}"
            print(line("not done", f"{text}; then:"))
        print("\n".join(f"{number:>2}. {text}" for number, text in enumerate(left, start=1)))
    return 0


def _check_corpus(subject: Subject) -> None:
    """Finish an interrupted run; refuse a corpus that a stage makes or that is not checked out."""
    folder, pipeline = subject.folder, Path("dvc.yaml")
    document = yaml.safe_load(pipeline.read_text(encoding="utf-8")) if pipeline.is_file() else {}
    for name, entry in (document.get("stages") or {}).items():
        if folder.as_posix() in (entry.get("outs") or []):
            raise UserError(
                f"{folder} is made by the stage {name}: its voices are programs; change section "
                f"{name} of params.yaml instead"
            )
    recover(folder)
    if subject.pointer.is_file() and not folder.is_dir():
        raise UserError(f"{folder} is not here; fetch it first: dvc pull {subject.pointer}")


def _check_found(subject: Subject, data: PersonalData, trace: Trace) -> None:
    """Refuse a name of which nothing exists, neither here nor in history."""
    if data.files or trace.speakers or trace.built or trace.versions:
        return
    if not subject.folder.is_dir():
        corpora = sorted(path.name for path in RAW.glob("[!.]*") if path.is_dir())
        raise UserError(f"{RAW} has no corpus {subject.corpus!r}, only {corpora}")
    names = {row["speaker"].strip() for row in read_table(subject.folder / TABLE, COLUMNS)}
    close = get_close_matches(subject.speaker, sorted(names)) if subject.speaker else []
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise UserError(f"{subject.folder}: no clip of {subject}, and none in git's history{hint}")


def _remove(subject: Subject, data: PersonalData, trace: Trace) -> None:
    """Remove the recordings and the rows of data/speakers.csv; a run after a kill finishes it."""
    for path in trace.results:  # first, because a repeated run finds them by the recordings
        path.unlink(missing_ok=True)
    if (folder := cache_folder()) is not None:
        forget_files(folder, [subject.folder / name for name in sorted(data.files)])
    if data.files:
        rewrite(subject.folder, data.files)
    if subject.pointer.is_file() and subject.folder.is_dir():
        track(subject.folder)
    elif subject.pointer.is_file():
        subject.pointer.unlink()
    if trace.speakers:
        rows = read_table(SPEAKERS, ("speaker",))
        write_table(SPEAKERS, list(rows[0]), [r for r in rows if r not in trace.speakers])
