"""Free Spoken Digit Dataset: an archive of GitHub with `recordings/DIGIT_SPEAKER_TAKE.wav`.

Source: README.md of the data set.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.archives import extract
from fonoteka.corpus_fetch.file_hashes import git_tree
from fonoteka.corpus_fetch.shapes.arranged import ArrangedFolder, FetchedFiles, write_rows

FOLDER = "recordings"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def arrange(fetched: FetchedFiles, out: Path) -> ArrangedFolder:
    """Write the recordings and their table; the text is the digit's word.

    Raises:
        UserError: the archive cannot be read, or its folder is not the pinned one.
    """
    (name, archive), *_ = fetched.paths.items()
    executable = extract([archive], out, _recording)
    folder = out / FOLDER
    if not folder.is_dir():
        raise UserError(f"{archive}: contains no folder {FOLDER}; it is not the data set")
    expected = next(file.tree for file in fetched.corpus.files if file.name == name)
    modes = {path.removeprefix(f"{FOLDER}/") for path in executable}
    if expected and (actual := git_tree(folder, modes)) != expected.sha1:
        raise UserError(
            f"{archive}: git's hash of {FOLDER} is {actual}, but the catalogue has "
            f"{expected.sha1}; it is another revision, or it was changed: nothing was imported"
        )
    rows, strange = [], 0
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(r"([0-9])_([^_]+)_[0-9]+\.wav", path.name)
        if match:
            rows.append((f"{FOLDER}/{path.name}", WORDS[int(match[1])], match[2], "en", ""))
        else:
            strange += 1
    notes = [f"{strange} files are not named DIGIT_SPEAKER_TAKE.wav"] * bool(strange)
    return replace(write_rows(out, rows), notes=tuple(notes))


def _recording(name: PurePosixPath) -> str | None:
    """Keep the files of the folder of recordings, below the only folder at the top."""
    parts = name.parts[1:]
    return "/".join(parts) if parts[:-1] == (FOLDER,) else None
