"""Shards: many clips in few files, so that a new clip changes only one file.

Audio is stored in tar files for WebDataset with fixed headers, so equal content gives equal bytes.
Embeddings are stored in safetensors files. The shard of a clip is a hash of its id.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError


def shard_of(key: str, shards: int) -> int:
    """Return the number of a clip's shard, 0 to `shards` - 1.

    >>> shard_of("a", 16) == shard_of("a", 16) < 16
    True
    """
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % shards


def add_to_tar(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append a file with a header that contains only its name and size."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = len(data), 0o644
    tar.addfile(header, io.BytesIO(data))


def read_clips(folder: Path, references: Mapping[str, str]) -> Iterator[tuple[str, Signal]]:
    """Yield `(id, samples)` for each clip, shard by shard, samples of shape `[T]` at 16 kHz.

    Args:
        folder: data/audio.
        references: id to `shard.tar/name.flac`.

    Raises:
        ValueError: a shard or a clip in it is missing, or is not 16 kHz mono.
    """
    by_shard: dict[str, dict[str, str]] = defaultdict(dict)
    for key, reference in references.items():
        shard, name = reference.split("/", 1)
        by_shard[shard][name] = key
    for shard, names in sorted(by_shard.items()):
        path = folder / shard
        if not path.is_file():
            raise UserError(f"{path}: no such shard; run the stage preprocess")
        yield from _read_tar(path, names)


def _read_tar(path: Path, names: Mapping[str, str]) -> Iterator[tuple[str, Signal]]:
    count = 0
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name not in names:
                continue
            file = tar.extractfile(member)
            assert file is not None
            samples, rate = soundfile.read(io.BytesIO(file.read()), dtype="float32")
            if rate != SAMPLE_RATE_HZ or samples.ndim != 1:
                raise UserError(f"{path}: {member.name} is not mono at {SAMPLE_RATE_HZ} Hz")
            count += 1
            yield names[member.name], samples
    if count != len(names):
        raise UserError(f"{path}: {len(names) - count} of {len(names)} clips are missing")


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[np.float32]], shards: int) -> None:
    """Write arrays as `shard-NN.safetensors`, each array under its key in the shard of its id.

    A key may end in `#1`, `#2`, ... (a view of the clip before it); views stay with their clip.
    """
    by_shard: dict[int, dict[str, NDArray[np.float32]]] = defaultdict(dict)
    for key in sorted(arrays):
        by_shard[shard_of(key.split("#")[0], shards)][key] = np.ascontiguousarray(arrays[key])
    for number in range(shards):
        # Not `save_file`: on a full disk it raises its own error, which is not an OSError.
        (folder / f"shard-{number:02d}.safetensors").write_bytes(save(by_shard[number]))


def read_arrays(folder: Path, keys: Iterable[str] | None = None) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of the given keys, or all arrays.

    Raises:
        ValueError: the folder contains no shards or a key is missing.
    """
    wanted = None if keys is None else set(keys)
    arrays: dict[str, NDArray[np.float32]] = {}
    paths = sorted(folder.glob("shard-*.safetensors"))
    if not paths:
        raise UserError(f"{folder}: no shards; run dvc repro")
    for path in paths:
        with safe_open(path, framework="numpy") as shard:
            names = shard.keys()
            for name in names if wanted is None else sorted(wanted & set(names)):
                arrays[name] = shard.get_tensor(name)
    missing = sorted((wanted or set()) - set(arrays))
    if missing:
        raise UserError(f"{folder}: {len(missing)} arrays are missing, first {missing[0]!r}")
    return arrays
