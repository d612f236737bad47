"""Shards: many clips in few files, so that a new clip changes only one file.

Audio is stored in tar files for WebDataset with fixed headers, so equal content gives equal bytes.
Embeddings are stored in safetensors files. The shard of a clip is a hash of its id.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.lazy_mapping import LazyMapping


def shard_of(key: str, shards: int) -> int:
    """Return the number of a clip's shard, 0 to `shards` - 1.

    >>> shard_of("a", 16) == shard_of("a", 16) < 16
    True
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % shards


def shard_name(number: int) -> str:
    """Return the name of a shard's file, without its suffix.

    >>> shard_name(3)
    'shard-03'
    """
    return f"shard-{number:02d}"


def add_to_tar(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file with a header that contains only its name and size."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(data), 0o644
    tar.addfile(header, io.BytesIO(data))
    _forget_members(tar)


def _forget_members(tar: tarfile.TarFile) -> None:
    """Empty the list of headers, 1 KB each: neither writing nor one pass in order needs it."""
    tar.members.clear()  # type: ignore[attr-defined]  # public, but not in the stubs


class FilePart(NamedTuple):
    """The bytes of one clip in a shard: small and picklable, unlike what they contain."""

    path: Path
    name: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Return the bytes."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


class ArrayPart(NamedTuple):
    """One float32 array in a shard, and its shape."""

    data: FilePart
    shape: tuple[int, ...]

    def read(self) -> NDArray[np.float32]:
        """Return the array.

        Raises:
            ValueError: the shard has become shorter.
        """
        array = np.empty(self.shape, "<f4")
        with self.data.path.open("rb") as file:
            file.seek(self.data.offset)
            if file.readinto(array.reshape(-1).view(np.uint8)) != self.data.size:  # type: ignore[arg-type]
                raise UserError(f"{self.data.path}: damaged; run dvc checkout")
        return array


class StoredArrays(LazyMapping[ArrayPart, NDArray[np.float32]]):
    """Arrays of a folder by key, each read from its shard when it is asked for.

    In memory are their places alone, 0.35 kB per array, so that a stage needs no more memory for
    10,000 hours than for the batch it works on. From the page cache, the 250 kB of a clip of 2.4 s
    by Whisper's encoder are read in 0.25 ms, and 4 kB in 0.02 ms.
    """

    def read(self, place: ArrayPart) -> NDArray[np.float32]:
        """Return an array."""
        return place.read()

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array without reading it."""
        return self.places[key].shape


class ScratchArrays(LazyMapping[tuple[int, tuple[int, ...]], NDArray[np.float32]]):
    """Arrays that are needed again before a stage ends, in a temporary file and not in memory."""

    def __init__(self, folder: Path) -> None:
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self.added: dict[str, tuple[int, tuple[int, ...]]] = {}
        super().__init__(self.added)

    def __enter__(self) -> ScratchArrays:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, key: str, array: NDArray[np.float32]) -> None:
        """Append an array."""
        data = np.ascontiguousarray(array, dtype="<f4")
        self.added[key] = self.file.seek(0, 2), data.shape
        self.file.write(data.tobytes())

    def read(self, place: tuple[int, tuple[int, ...]]) -> NDArray[np.float32]:
        """Return an array that was added."""
        start, shape = place
        self.file.seek(start)
        return np.frombuffer(self.file.read(4 * math.prod(shape)), "<f4").reshape(shape)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape of an array without reading it."""
        return self.places[key][1]


class StoredClips(LazyMapping[FilePart, Signal]):
    """Samples of clips by id, shape `[T]` at 16 kHz, each decoded when it is asked for.

    A clip of 2.4 s takes 0.8 ms. Reading raises `ValueError` if a clip is not 16 kHz mono.
    """

    def read(self, place: FilePart) -> Signal:
        """Return the samples of a clip."""
        return clip_signal(place)

    def samples(self, key: str) -> int:
        """Return the number of samples of a clip, which its header states."""
        return int(soundfile.info(io.BytesIO(self.places[key].read())).frames)


def clip_parts(folder: Path, references: Mapping[str, str]) -> dict[str, FilePart]:
    """Return where the FLAC file of each clip is, shard by shard.

    Args:
        folder: data/audio.
        references: id to `shard.tar/name.flac`.

    Raises:
        ValueError: a shard or a clip in it is missing.
    """
    by_shard: dict[str, dict[str, str]] = defaultdict(dict)
    for key, reference in references.items():
        shard, name = reference.split("/", 1)
        by_shard[shard][name] = key
    parts: dict[str, FilePart] = {}
    for shard, names in sorted(by_shard.items()):
        path = folder / shard
        if not path.is_file():
            raise UserError(f"{path}: no such shard; run the stage preprocess")
        before = len(parts)
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name in names:
                    part = FilePart(path, member.name, member.offset_data, member.size)
                    parts[names[member.name]] = part
                _forget_members(tar)
        if missing := len(names) - (len(parts) - before):
            raise UserError(f"{path}: {missing} of {len(names)} clips are missing")
    return parts


def clip_signal(part: FilePart, data: bytes | None = None) -> Signal:
    """Return the samples of a clip, shape `[T]` at 16 kHz.

    Args:
        part: of a shard of clips.
        data: its bytes, if they are read already.

    Raises:
        ValueError: it is not 16 kHz mono.
    """
    data = part.read() if data is None else data
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    if rate != SAMPLE_RATE_HZ or samples.ndim != 1:
        raise UserError(f"{part.path}: {part.name} is not mono at {SAMPLE_RATE_HZ} Hz")
    signal: Signal = samples
    return signal


def read_clips(folder: Path, references: Mapping[str, str]) -> Iterator[tuple[str, Signal]]:
    """Yield `(id, samples)` for each clip, shard by shard, samples of shape `[T]` at 16 kHz.

    Args:
        folder: data/audio.
        references: id to `shard.tar/name.flac`.

    Raises:
        ValueError: a shard or a clip in it is missing, or is not 16 kHz mono.
    """
    for key, part in clip_parts(folder, references).items():
        yield key, clip_signal(part)


def open_clips(folder: Path, references: Mapping[str, str]) -> StoredClips:
    """Return clips by id, none of which is in memory.

    Args:
        folder: data/audio.
        references: id to `shard.tar/name.flac`.

    Raises:
        ValueError: a shard or a clip in it is missing.
    """
    return StoredClips(clip_parts(folder, references))


def array_shard(key: str, shards: int) -> int:
    """Return the number of the shard of an array: that of the clip before a `#`.

    >>> array_shard("a#1", 16) == array_shard("a", 16) == shard_of("a", 16)
    True
    """
    return shard_of(key.partition("#")[0], shards)


def array_path(folder: Path, number: int) -> Path:
    """Return the path of a shard of arrays."""
    return folder / f"{shard_name(number)}.safetensors"


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[np.float32]], shards: int) -> None:
    """Write arrays as `shard-NN.safetensors`, each array under its key in the shard of its id.

    A key may end in `#1`, `#2`, ... (a view of the clip before it); views stay with their clip.
    """
    keys = sorted(arrays, key=lambda key: (array_shard(key, shards), key))
    stream_arrays(folder, ((key, arrays[key]) for key in keys), shards)


def stream_arrays(
    folder: Path, arrays: Iterable[tuple[str, NDArray[np.float32]]], shards: int
) -> None:
    """Write arrays as `write_arrays` does, with one of them in memory at a time.

    Args:
        folder: where to write.
        arrays: keys and arrays; those of one shard follow each other.
        shards: number of files.

    Raises:
        ValueError: an array of a shard comes after those of another one.
    """
    left = set(range(shards))
    for number, group in groupby(arrays, key=lambda pair: array_shard(pair[0], shards)):
        if number not in left:
            raise ValueError(f"shard {number} is written already; sort the arrays by shard")
        left.remove(number)
        _write_array_file(array_path(folder, number), group)
    for number in left:
        _write_array_file(array_path(folder, number), ())


def _write_array_file(path: Path, arrays: Iterable[tuple[str, NDArray[np.float32]]]) -> None:
    """Write one safetensors file, byte for byte as `safetensors.numpy.save` returns it.

    That function needs all arrays at once, and returns a copy of them. The header comes first and
    depends on all shapes, so the arrays wait in a temporary file.
    """
    header: dict[str, dict[str, Any]] = {}
    with ScratchArrays(path.parent) as waiting, path.open("wb") as file:
        for key, array in arrays:
            waiting.add(key, array)
        end = 0
        for key in sorted(waiting):
            shape = waiting.shape(key)
            begin, end = end, end + 4 * math.prod(shape)
            header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # the format aligns the data to 8 bytes
        file.write(len(text).to_bytes(8, "little") + text)
        for key in header:
            file.write(waiting[key].tobytes())


def array_parts(folder: Path, keys: Iterable[str] | None = None) -> dict[str, ArrayPart]:
    """Return where the arrays of the given keys, or all arrays, are, shard by shard.

    Raises:
        ValueError: the folder contains no shards, one is damaged, or a key is missing.
    """
    wanted = None if keys is None else set(keys)
    parts: dict[str, ArrayPart] = {}
    for path in _array_paths(folder):
        header, begin = _array_header(path)
        for key in sorted(header if wanted is None else wanted & header.keys()):
            first, end = header[key]["data_offsets"]
            part = FilePart(path, key, begin + first, end - first)
            parts[key] = ArrayPart(part, tuple(header[key]["shape"]))
    if missing := sorted((wanted or set()) - parts.keys()):
        raise UserError(f"{folder}: {len(missing)} arrays are missing, first {missing[0]!r}")
    return parts


def _array_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header of a safetensors file, and the position of the first array."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
        except ValueError as error:
            raise UserError(f"{path}: damaged; run dvc checkout") from error
    end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if path.stat().st_size != 8 + length + end:
        raise UserError(f"{path}: damaged; run dvc checkout")
    return header, 8 + length


def open_arrays(folder: Path, keys: Iterable[str] | None = None) -> StoredArrays:
    """Return the arrays of the given keys, or all arrays, none of which is in memory.

    Raises:
        ValueError: the folder contains no shards, one is damaged, or a key is missing.
    """
    return StoredArrays(array_parts(folder, keys))


def _array_paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("shard-*.safetensors"))
    if not paths:
        raise UserError(f"{folder}: no shards; run dvc repro")
    return paths
