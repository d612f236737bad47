"""Find and remove the entries of some clips, for an erasure."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from fonoteka.compute.cache_entry import clip_of
from fonoteka.compute.cache_folder import stages_in, stored_entries
from fonoteka.compute.content_memo import NAME, ContentMemo

_HEAD = 8192  # bytes that contain the id: a path has at most 4096


def results_of(folder: Path, clips: Collection[str]) -> list[Path]:
    """Return the files of the entries of clips and of their changed copies, such as `id#1`.

    Each entry is opened, which takes 10 us.

    Args:
        folder: of the cache; it may be missing.
        clips: ids.
    """
    paths = []
    for stage in stages_in(folder):
        for entry in stored_entries(folder, stage):
            path = entry.path(folder)
            clip = _clip(path)
            if clip in clips or clip.partition("#")[0] in clips:
                paths.append(path)
    return sorted(paths)


def forget_files(folder: Path, recordings: list[Path]) -> int:
    """Remove the notes of recordings from the memo of hashes, and return how many there were."""
    if not (folder / NAME).is_file():
        return 0
    with ContentMemo(folder) as memo:
        return memo.forget(recordings)


def _clip(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return clip_of(file.read(_HEAD))
    except FileNotFoundError:  # another process removed it
        return ""
