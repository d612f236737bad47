"""Find what exists of a subject outside the corpus: outputs, cached objects, committed files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.compute.cache_folder import cache_folder
from fonoteka.compute.clip_results import results_of
from fonoteka.corpus.corpus import read_card
from fonoteka.erasure import git_history as git
from fonoteka.erasure.find_clips import RAW, PersonalData, Subject
from fonoteka.erasure.lineage import Artefact, Entry, artefacts, outputs, read_lock
from fonoteka.erasure.storage import CorpusVersion, Storage, object_path, read_version
from fonoteka.git import has_commit
from fonoteka.manifest import utterance_id
from fonoteka.tables import Row, read_table
from fonoteka.text.transliteration import name_key

INVENTORY, LOCK = Path("data/corpus/inventory.csv"), Path("dvc.lock")
SPEAKERS = Path("data/speakers.csv")


@dataclass
class Trace:
    """What exists of a subject outside the corpus."""

    words: list[str]  # `corpus/name` in each spelling, by which tracked files name a speaker
    speakers: list[Row] = field(default_factory=list)  # of data/speakers.csv
    built: list[Artefact] = field(default_factory=list)  # none after a build without the subject
    versions: list[CorpusVersion] = field(default_factory=list)  # with the subject's data
    older: set[Artefact] = field(default_factory=set)  # built in git's history
    objects: list[str] = field(default_factory=list)  # paths in a cache or remote, not used else
    cached: int = 0  # how many of them are in the cache
    tracked: list[str] = field(default_factory=list)  # files with a word, except speakers.csv
    committed: list[str] = field(default_factory=list)  # files with a word in any commit
    results: list[Path] = field(default_factory=list)  # entries of the cache of results


def find_trace(subject: Subject, data: PersonalData, storage: Storage | None) -> Trace:
    """Return what exists of a subject outside the corpus."""
    spellings = data.spellings | {subject.speaker} if subject.speaker else set()
    trace = Trace(sorted(f"{subject.corpus}/{name}" for name in spellings))
    if SPEAKERS.is_file():
        rows = read_table(SPEAKERS, ("speaker",))
        trace.speakers = [row for row in rows if _names(row["speaker"], subject, data)]
    lock = read_lock(LOCK.read_text(encoding="utf-8")) if LOCK.is_file() else {}
    if _is_built(subject, data):
        trace.built = artefacts(lock, subject.folder.as_posix())
    if trace.words and has_commit():
        tracked = git.tracked_files_with(trace.words)
        trace.tracked = [path for path in tracked if path != SPEAKERS.as_posix()]
        trace.committed = git.committed_files_with(trace.words)
    if (folder := cache_folder()) is not None:
        trace.results = results_of(folder, _ids(subject, data))
    if storage is not None:
        _find_versions(subject, storage, trace)
        _find_objects(storage, trace, lock)
    return trace


def _ids(subject: Subject, data: PersonalData) -> set[str]:
    """Return the ids of the subject's clips; a stage before the ids knows their paths alone."""
    paths = {f"{subject.corpus}/{path}" for path in data.files}
    return paths | {utterance_id(subject.corpus, path) for path in data.files}


def _names(speaker: str, subject: Subject, data: PersonalData) -> bool:
    corpus, _, name = speaker.partition("/")
    is_speaker = bool(subject.speaker) and name_key(name) == name_key(subject.speaker)
    return corpus == subject.corpus and (data.whole_corpus or is_speaker)


def _is_built(subject: Subject, data: PersonalData) -> bool:
    """Return whether the last build had clips that are removed, now or by an earlier run."""
    if not INVENTORY.is_file():
        return bool(data.files)
    start = f"{subject.corpus}/"
    paths = [row["path"] for row in read_table(INVENTORY, ("path",))]
    clips = [path.removeprefix(start) for path in paths if path.startswith(start)]
    return any(clip in data.files or not os.path.lexists(subject.folder / clip) for clip in clips)


def _find_versions(subject: Subject, storage: Storage, trace: Trace) -> None:
    """Find the versions of the corpus with the subject's data, and what was built from them."""
    history = git.history(subject.pointer) if has_commit() else []
    blobs = {commit.pointer for commit in history} - {""}
    hashes = {blob: git.pointer_md5(git.blob_text(blob)) for blob in sorted(blobs)}
    if subject.pointer.is_file():  # it may not be committed yet
        hashes["checked out"] = git.pointer_md5(subject.pointer.read_text(encoding="utf-8"))
    source = read_card(subject.folder).source if subject.folder.is_dir() else ""
    for md5 in sorted(set(hashes.values()) - {""}):
        version = read_version(storage, md5, subject, source)
        if version.personal:
            version.commits = [c for c in history if hashes.get(c.pointer) == md5]
            trace.versions.append(version)
    commits = (commit for version in trace.versions for commit in version.commits)
    for blob in {commit.lock for commit in commits} - {""}:
        trace.older |= set(artefacts(read_lock(git.blob_text(blob)), subject.folder.as_posix()))


def _find_objects(storage: Storage, trace: Trace, lock: Mapping[str, Entry]) -> None:
    """Find the subject's objects that the files checked out and other clips do not use."""
    # A corpus from which the subject was removed may share files with the version before.
    pointers = {git.pointer_md5(path.read_text(encoding="utf-8")) for path in RAW.glob("*.dvc")}
    tracked = pointers - {version.md5 for version in trace.versions}
    tracked |= {md5 for entry in lock.values() for _, md5 in outputs(entry)}
    used = {md5 for output in tracked for md5 in storage.objects_of(output)}
    used = used.union(*(version.other for version in trace.versions))
    derived = (storage.objects_of(artefact.md5) for artefact in trace.older)
    personal = set[str]().union(*(version.personal for version in trace.versions), *derived) - used
    trace.objects = sorted([*map(object_path, personal), *storage.runs_with(personal)])
    trace.cached = sum((storage.cache / path).is_file() for path in trace.objects)
