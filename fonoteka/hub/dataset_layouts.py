"""The two layouts of a published data set: a folder of audio files, or shards.

    audiofolder   train/metadata.jsonl, train/embedded-000001.flac, ...
    webdataset    train/shard-0000.tar with embedded-000001.flac and embedded-000001.json, ...

`datasets` reads both: `load_dataset("audiofolder", data_dir=...)` and `load_dataset("webdataset",
data_dir=...)`. The FLAC bytes are those of data/audio, so the samples are the ones that models were
trained on.
"""

from __future__ import annotations

import json
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json_lines
from fonoteka.hub.clip_selection import ClipSelection, PublishedClip
from fonoteka.manifest import PARTS
from fonoteka.shards import add_to_tar

METADATA, AUDIO_FORMAT = "metadata.jsonl", "flac"
SHARD_CLIPS = 1000
"""Clips per shard: about 80 MB of clips of 3 s, which a reader fetches as a whole."""


def write_audiofolder(selection: ClipSelection, audio: Path, folder: Path) -> None:
    """Write a file per clip, and a table per split."""
    for split, clips in _splits(selection):
        (folder / split).mkdir()
        for clip, data in clip_bytes(clips, audio):
            (folder / split / _file_name(clip)).write_bytes(data)
        rows = [clip.metadata(_file_name(clip)) for clip in clips]
        write_json_lines(folder / split / METADATA, rows)


def write_webdataset(selection: ClipSelection, audio: Path, folder: Path) -> None:
    """Write shards in which each clip is followed by its metadata."""
    for split, clips in _splits(selection):
        (folder / split).mkdir()
        for number, start in enumerate(range(0, len(clips), SHARD_CLIPS)):
            chosen = clips[start : start + SHARD_CLIPS]
            data_by_name = {clip.name: data for clip, data in clip_bytes(chosen, audio)}
            with tarfile.open(folder / split / f"shard-{number:04}.tar", "w") as tar:
                for clip in chosen:
                    row = json.dumps(clip.metadata(_file_name(clip)), ensure_ascii=False)
                    add_to_tar(tar, _file_name(clip), data_by_name[clip.name])
                    add_to_tar(tar, f"{clip.name}.json", row.encode())


WRITERS: Mapping[str, Callable[[ClipSelection, Path, Path], None]] = {
    "audiofolder": write_audiofolder, "webdataset": write_webdataset,
}  # fmt: skip


def clip_bytes(
    clips: Iterable[PublishedClip], audio: Path
) -> Iterator[tuple[PublishedClip, bytes]]:
    """Yield each clip with the bytes of its file, shard by shard.

    Args:
        clips: in any order.
        audio: data/audio.

    Raises:
        UserError: a shard or a clip in it is missing, or a shard is damaged.
    """
    by_shard: dict[str, dict[str, PublishedClip]] = defaultdict(dict)
    for clip in clips:
        shard, _, name = clip.utterance.audio.partition("/")
        by_shard[shard][name] = clip
    for shard, members in sorted(by_shard.items()):
        path = audio / shard
        if not path.is_file():
            raise UserError(f"{path}: no such shard; run dvc pull or dvc repro")
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    clip_of_member = members.pop(member.name, None)
                    file = tar.extractfile(member)
                    if clip_of_member is not None and file is not None:
                        yield clip_of_member, file.read()
        except tarfile.TarError as error:
            raise UserError(f"{path}: damaged ({error}); run dvc checkout or dvc repro") from error
        if members:
            raise UserError(
                f"{path}: {len(members)} clips are missing, for example {min(members)}; run dvc "
                "checkout or dvc repro"
            )


def _splits(selection: ClipSelection) -> Iterator[tuple[str, Sequence[PublishedClip]]]:
    """Yield the splits that have clips."""
    for split in PARTS:
        if clips := list(selection.of_split(split)):
            yield split, clips


def _file_name(clip: PublishedClip) -> str:
    return f"{clip.name}.{AUDIO_FORMAT}"
