"""Ask git which commits have a version of a corpus, and which files name a person."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import yaml

from fonoteka.git import GitError, git, names


class Commit(NamedTuple):
    """A commit: the refs at it, and its .dvc file of a corpus and dvc.lock, as blobs or empty."""

    refs: list[str]
    pointer: str
    lock: str


def history(pointer: Path) -> list[Commit]:
    """Return the commits of all branches, tags and other refs."""
    # Without the options log.excludeDecoration would hide refs. %D needs no second command.
    decorate = ("--decorate=short", "--decorate-refs=refs/*", "--decorate-refs=HEAD")
    log = git("log", "--all", "HEAD", "--no-show-signature", *decorate, "--format=%H %D")
    commits = [line.partition(" ") for line in log.splitlines()]
    requests = [f"{name}:./{path}\n" for name, _, _ in commits for path in (pointer, "dvc.lock")]
    form = "--batch-check=%(objecttype) %(objectname)"
    lines = git("cat-file", form, stdin="".join(requests)).splitlines()
    blobs = [line.split()[1] if line.startswith("blob ") else "" for line in lines]
    refs = [text.split(", ") if text else [] for _, _, text in commits]
    return list(map(Commit, refs, blobs[::2], blobs[1::2]))


def blob_text(blob: str) -> str:
    """Return the text of a version of a file."""
    return git("cat-file", "blob", blob, errors="replace")


def pointer_md5(text: str) -> str:
    r"""Return the hash in the text of a .dvc file; empty if it has none.

    >>> pointer_md5("outs:\n- md5: abc.dir\n  path: mine\n")
    'abc.dir'
    """
    with suppress(yaml.YAMLError, KeyError, IndexError, TypeError):
        return str(yaml.safe_load(text)["outs"][0]["md5"])
    return ""


def tracked_files_with(words: Sequence[str]) -> list[str]:
    """Return the tracked files that contain one of some words, in any case."""
    options = ("-l", "-z", "-I", "-i", "--no-color", "--no-full-name", "--fixed-strings")
    try:
        return sorted(names("grep", *options, *(f"-e{word}" for word in words)))
    except GitError as error:
        if error.code == 1:  # no match
            return []
        raise


def committed_files_with(words: Sequence[str]) -> list[str]:
    """Return the files of the project that contained one of some words in any commit.

    Other files of a larger repository are not the project's and are left out.
    """
    # One pass over the history for all words; git accepts POSIX regular expressions only.
    pattern = "|".join(re.sub(r"[][.^$*+?{}()|\\]", r"\\\g<0>", word) for word in words)
    options = ("--format=", "--name-only", "-z", "--no-renames", "--no-show-signature")
    search = ("--relative", "-i", "--pickaxe-regex", f"-S{pattern}")
    paths = names("log", "--all", "HEAD", *options, *search, "--", ".")
    return sorted({path.strip("\n") for path in paths} - {""})
