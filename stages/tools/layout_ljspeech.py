"""LJSpeech: metadata.csv with `id|text|text as read` and no header, and the folder wavs beside it.

Source: the README that comes with LJSpeech 1.1.
"""

from __future__ import annotations

import posixpath

from stages.tools.corpus_table import USUAL_NAMES
from stages.tools.layout import Found, Given, Reading, RefusedError, Source, nfc, read_lines, sounds

TABLE, AUDIO = "metadata.csv", "wavs"


def claims(source: Source, name: str) -> bool:
    """Tell whether a file is LJSpeech's table: its first line has no names of columns."""
    path = source.folder / name
    if path.name != TABLE or not (path.parent / AUDIO).is_dir():
        return False
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", "replace").split("|")
    usual = USUAL_NAMES["path"]
    return len(first) > 1 and first[0].strip().lower() not in usual


def read(source: Source, index: list[str], given: Given) -> Reading:  # noqa: ARG001
    """Return a clip for each line; of its two texts the one as read, which has numbers in words."""
    reading = Reading(texts=TABLE, used=set(index))
    for name in index:
        folder = posixpath.join(posixpath.dirname(name), AUDIO)
        for number, line in read_lines(source.folder / name):
            where = f"{source.folder / name}:{number}"
            clip, *texts = (value.strip() for value in line.split("|"))
            if len(texts) not in (1, 2) or not clip:
                sentence = f"{where}: {line[:40]!r} is neither id|text nor id|text|text as read"
                reading.refused.append(RefusedError("wrong row", sentence))
                continue
            stem = nfc(posixpath.join(folder, clip))
            path = clip if sounds(clip) else next(iter(source.audio_by_stem.get(stem, ())), "")
            reading.found.append(
                Found(where, path or f"{stem}.wav", texts[-1] or texts[0], base=folder)
            )
    return reading
