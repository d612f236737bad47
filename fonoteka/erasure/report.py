"""Write what exists of a subject, one line per place, and the commands that remove the rest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from fonoteka.corpus.importers.portable_names import shown
from fonoteka.corpus.importers.preview import WIDTH, few
from fonoteka.erasure.find_clips import PersonalData, Subject
from fonoteka.erasure.storage import Storage
from fonoteka.erasure.trace import SPEAKERS, Trace
from fonoteka.git import prefix


def command(subject: Subject, option: str = "") -> str:
    """Return the command that shows a subject's data, or does what `option` says."""
    kind = "speaker" if subject.speaker else "source"
    request = f"python -m fonoteka corpus erase --{kind} {shlex.quote(shown(str(subject)))}"
    return f"{request} {option}" if option else request


def line(label: str, text: str) -> str:
    """Return a line with its label."""
    return f"{label:<{WIDTH}} {text}"


def findings(subject: Subject, data: PersonalData, trace: Trace) -> Iterator[str]:
    """Yield what exists of a subject."""
    if data.files:
        whole = "; no row remains, so the folder is removed" if data.whole_corpus else ""
        yield line("files", f"{subject.folder}: {data.counts}{whole}")
    spellings = data.spellings - {subject.speaker} if subject.speaker else set()
    built = [line("", f"{artefact.path} ({artefact.stage})") for artefact in trace.built]
    # An empty list has no line, so what is printed exists.
    lists = [
        ("spellings", "other spellings of the name", sorted(spellings)),
        ("related", "clips that are copies or parents of these", data.related),
        *(("review", description, names) for description, names in data.review),
        ("speakers", f"rows of {SPEAKERS}", [row["speaker"] for row in trace.speakers]),
        ("older", "outputs of committed builds", sorted({a.path for a in trace.older})),
        ("named", "tracked files contain the name", trace.tracked),
        ("history", "files contained the name in some commit", trace.committed),
    ]
    yield from (line(label, f"{len(n)} {text}: {few(n)}") for label, text, n in lists if n)
    if trace.built:
        yield "\n".join([line("built", f"{len(built)} outputs of the last build:"), *built])
    for version in trace.versions:
        contains = "contains" if version.readable else "is not in the cache and may contain"
        text = f"{version.md5[:8]} of the corpus {contains} the recordings"
        refs = f", at the tip of {few(version.refs)}" if version.refs else ""
        yield line("version", f"{text}; in {len(version.commits)} commits{refs}")
    if not all(version.readable for version in trace.versions):
        yield line("fetch", f"to look into all versions: dvc fetch --all-commits {subject.pointer}")
    if trace.results:
        yield line("results", f"{len(trace.results)} of these clips in the cache of results")
    if trace.objects:
        runs = sum(path.startswith("runs/") for path in trace.objects)
        text = f"{len(trace.objects)} that nothing else uses, {runs} of them run-cache entries"
        yield line("objects", f"{text}; {trace.cached} are in the cache")


def steps(
    subject: Subject, data: PersonalData, trace: Trace, storage: Storage | None, listed: Path
) -> Iterator[str]:
    """Yield what is left to do, in order, with the commands; `listed` names the objects."""
    if data.whole_corpus:
        yield f"remove {subject.corpus} from inventory.corpora in params.yaml"
    if trace.tracked:
        yield f"remove {few(trace.words)} from {few(trace.tracked)}"
    if any(names for _, names in data.review):
        yield f"review the names above; this removes a file: {command(subject, '--also PATH')}"
    if trace.built:
        yield "rebuild without the recordings: rm -rf checkpoints .dvc/tmp/repro && make repro"
    yield "commit: git add --update . && git commit"
    if trace.built:
        yield f"run this again, because a new build frees objects: {command(subject, '--yes')}"
    if storage is not None and trace.objects:
        yield from _object_steps(storage, listed)
    if (trace.results or trace.built) and storage is not None and storage.remotes:
        again = "python -m fonoteka cache push --again"
        yield f"if the cache of results was pushed, replace it in the remote: {again}"
    # The branch that is checked out is past the recordings after the commit above.
    if refs := [ref for version in trace.versions for ref in version.refs if " -> " not in ref]:
        yield (
            f"move or delete the branches and tags whose tip has the recordings, {few(refs)}: "
            "git branch -D, git tag -d, git push --delete"
        )
    if trace.committed:
        yield _history_step(subject, trace)
    yield "withdraw models that learned from the recordings; inform owners of clones and backups"


def _object_steps(storage: Storage, listed: Path) -> Iterator[str]:
    places = {"the cache": str(storage.cache)}
    places |= {f"remote {name}": url for name, url in storage.remotes.items()}
    for place, url in places.items():
        if "://" in url:
            yield f"delete the objects listed in {listed} from {place}, {url}, with its own client"
        else:
            delete = f"(cd {shlex.quote(url)} && xargs rm -f) < {listed}"
            yield f"delete the objects from {place}: {delete}"
    remotes = "".join(f", dvc gc --workspace --cloud -r {name}" for name in storage.remotes)
    unused = "all that the files checked out do not use, although other branches may"
    yield f"or delete {unused}: dvc gc --workspace{remotes}"


def _history_step(subject: Subject, trace: Trace) -> str:
    rules = [f"regex:(?i){re.escape(word)}==>{subject.corpus}/removed" for word in trace.words]
    quoted = " ".join(shlex.quote(shown(rule)) for rule in rules)
    around = f" of the whole repository around {prefix()}" if prefix() else ""
    return (
        f"remove the name from the history{around}, in a new clone: printf '%s\\n' {quoted} "
        "> names.txt && git filter-repo --replace-text names.txt && git push --force --all && "
        "git push --force --tags"
    )
