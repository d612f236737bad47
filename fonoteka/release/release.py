"""Release a version of a model: check everything at a commit, then write one annotated tag.

    python -m fonoteka release wavlm_ctc v1.1.0 [--rev HEAD] [--message TEXT] [--dry-run]

Reads   git, dvc.yaml, dvc.lock, sections `gate` and `release` of params.yaml and the reports, all
        at the commit; the cache; the remote, for the list of its objects
Writes  the tag `wavlm_ctc@v1.1.0`; nothing if a check fails (exit code 1) or cannot be decided (2)

Everything is read in a clone of the commit, because a consumer gets the commit and not the working
tree.
"""

from __future__ import annotations

import sys

from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.git import entered, git, has_commit, names
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.diff.gate import page
from fonoteka.pipeline.revision import Revision
from fonoteka.release import tags
from fonoteka.release.commit_clone import entered_clone
from fonoteka.release.examine import Examination, examine
from fonoteka.release.lock_state import lock_objections
from fonoteka.release.objection import Objections
from fonoteka.release.package_files import push_objection
from fonoteka.release.record import message_of, require_text
from fonoteka.release.release_params import ReleaseParams
from fonoteka.release.tags import ReleasedVersion

_MOST_FILES = 3


def run(
    name: str, version: str, *, rev: str, message: str, dry_run: bool, require_pushed: bool
) -> int:
    """Check a version, write its tag if nothing is against it, and return the exit code.

    Args:
        name: of an artifact in dvc.yaml.
        version: semantic, with a `v`.
        rev: the commit to release.
        message: of the user, for the tag.
        dry_run: whether to check alone.
        require_pushed: whether a package that the remote lacks is refused; else it is a warning.

    Raises:
        UserError: the commit is unknown, section `release` cannot be read, or the message is not
            text.
    """
    require_text(message)
    with entered():
        commit = commit_of(rev)
        objections, before = Objections(), tags.released(name)
        _check_version(version, commit, before, objections)
        _check_clean(commit, objections)
        objections.attempt(tags.tagger)
        base = _base(before)
        # Reports are read there too: those of the working tree may be of another build.
        with entered_clone(commit):
            params = load("release", ReleaseParams)
            with objections.collected(UNDECIDED):
                objections.listed += lock_objections()
            checked = examine(name, params, base)
        objections.listed += checked.objections.listed
        warning = check_pushed(checked, objections, require_pushed=require_pushed)
        title = f"{name} {version}"
        print(f"{title} at {rev} ({commit[:7]}), base: {base.description if base else 'none'}\n")
        print(page(checked.rows))
        print(warning, end="\n" * bool(warning), file=sys.stderr)
        if objections.listed or checked.record is None:
            objections.print(title)
            return objections.code
        text = message_of(
            title, message, checked.record, checked.numbers, base.name if base else ""
        )
        if dry_run:
            print(f"\nnothing was written; the tag would be\n\n{text}")
            return 0
        tag = tags.register(name, version, commit, text)
        print(f"\ntagged {tag}; publish it with: git push origin '{tag}'")
        return 0


def commit_of(rev: str) -> str:
    """Return the full hash of a commit.

    Raises:
        UserError: the commit is unknown, or this is not a git checkout.
    """
    if not has_commit():
        raise UserError("a release is a tag of git, and this is not a git checkout with a commit")
    if rev.startswith("-"):
        raise UserError(f"--rev {rev!r}: expected a revision, found an option")
    try:
        return git("rev-parse", "--verify", f"{rev}^{{commit}}").strip()
    except UserError as error:
        raise UserError(f"--rev {rev!r}: no such commit here; name one, or fetch it") from error


def _check_version(
    version: str, commit: str, before: list[ReleasedVersion], objections: Objections
) -> None:
    """Object to a version that is not semantic, exists, is not the greatest, or shares a commit."""
    if not tags.is_semantic(version):
        objections.add(f"version {version!r} is not semantic; expected one such as v1.1.0")
        return
    if same := [other for other in before if other.version == version]:
        objections.add(f"tag {same[0].tag} exists, at {same[0].commit[:7]}; use a greater version")
    elif before and not tags.is_greater(version, before[0].version):
        objections.add(
            f"version {version} is not greater than {before[0].version}, the last one; use a "
            "greater version"
        )
    if shared := [other for other in before if other.commit == commit]:
        objections.add(
            f"commit {commit[:7]} is {shared[0].version} already, and gto allows one version per "
            "commit; promote that version, or commit a change"
        )


def _check_clean(commit: str, objections: Objections) -> None:
    """Object to changes of tracked files, if the commit is the one that is checked out."""
    if commit != git("rev-parse", "HEAD").strip():
        return
    options = ("--porcelain", "-z", "--untracked-files=no", "--no-renames")
    if changed := [entry[3:] for entry in names("status", *options, "--", ".")]:
        listed = ", ".join(changed[:_MOST_FILES]) + ", ..." * (len(changed) > _MOST_FILES)
        objections.add(
            f"{len(changed)} tracked files are changed and not committed: {listed}; commit them, "
            "or name a commit with --rev"
        )


def _base(before: list[ReleasedVersion]) -> Revision | None:
    """Return the greatest version that is still registered, to compare numbers with."""
    active = [version for version in before if version.active]
    if not active:
        return None
    last = active[0]
    return Revision(last.version, last.commit, f"{last.version} ({last.commit[:7]})")


def check_pushed(checked: Examination, objections: Objections, *, require_pushed: bool) -> str:
    """Return a warning if the remote lacks files of the package, or object if it must have them."""
    if checked.package is None or not (problem := push_objection(checked.package)):
        return ""
    if require_pushed:
        objections.add(problem)
        return ""
    return f"warning: {problem}"
