"""Read and write `model.bin`, the binary format of CTranslate2.

    version, name of the model, revision of the model
    number of variables, then each: name, rank, shape, type, number of bytes, bytes
    number of aliases, then each: name, name of the variable that it stands for

All numbers are little-endian. A name has its length before it, which counts a zero at its end.

Source: CTranslate2 4.8.5, `ctranslate2/specs/model_spec.py`, binary version 6.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file

Arrays = Mapping[str, NDArray[Any]]

VERSION, MODEL, REVISION = 6, "WhisperSpec", 3
TYPES = ("float32", "int8", "int16", "int32", "float16")  # a type's number is its place


@dataclass(frozen=True)
class Ct2Model:
    """The content of a `model.bin`.

    Attributes:
        variables: arrays by name, in the order of the file.
        aliases: names of variables by the other names that stand for them.
    """

    variables: Arrays
    aliases: Mapping[str, str]


@dataclass
class ByteReader:
    """A position in the bytes of a model; `place` is the file in error messages."""

    data: memoryview
    place: Path
    position: int = field(default=0)

    def take(self, size: int) -> memoryview:
        """Return the next bytes.

        Raises:
            UserError: fewer bytes are left.
        """
        end = self.position + size
        if end > len(self.data):
            raise UserError(
                f"{self.place}: {len(self.data)} bytes, and at least {end} are needed; the file is "
                "truncated or damaged, get it again"
            )
        block, self.position = self.data[self.position : end], end
        return block

    def number(self, kind: str) -> int:
        """Return an unsigned number; `kind` is its letter in `struct`: B, H or I."""
        (value,) = struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))
        return int(value)

    def name(self) -> str:
        """Return a name without the zero at its end.

        Raises:
            UserError: it has no zero at its end, or is not UTF-8.
        """
        raw = bytes(self.take(self.number("H")))
        try:
            text = raw.removesuffix(b"\0").decode("utf-8")
        except UnicodeDecodeError:
            text = ""
        if not text or not raw.endswith(b"\0"):
            raise self.damage(f"the name {raw[:40]!r} is not UTF-8 text with a zero at its end")
        return text

    def array(self, name: str) -> NDArray[Any]:
        """Return the variable `name`: its shape, its type and its bytes, which are not copied.

        Raises:
            UserError: the type is unknown, or the bytes do not have the shape.
        """
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = self.number("B")
        if kind >= len(TYPES):
            raise UserError(
                f"{self.place}: variable {name!r} has type {kind}; expected one of "
                f"{', '.join(f'{n} ({text})' for n, text in enumerate(TYPES))}"
            )
        values = self.take(self.number("I"))
        dtype = np.dtype(TYPES[kind]).newbyteorder("<")
        if len(values) != math.prod(shape) * dtype.itemsize:
            raise self.damage(f"variable {name!r} has {len(values)} bytes for shape {shape}")
        return np.frombuffer(values, dtype).reshape(shape)

    def damage(self, fault: str) -> UserError:
        """Return the error for bytes that no model contains."""
        return UserError(f"{self.place}: {fault}; the file is damaged, get it again")


def read_model(path: Path) -> Ct2Model:
    """Return the variables and aliases of a Whisper model; the arrays are read-only.

    Raises:
        UserError: the file is missing, is truncated, has bytes after the model, or is not a
            Whisper model of this version.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a model of CTranslate2")
    reader = ByteReader(memoryview(path.read_bytes()), path)
    _check_head(reader)
    variables = {}
    for _ in range(reader.number("I")):
        name = reader.name()
        variables[name] = reader.array(name)
    aliases = {reader.name(): reader.name() for _ in range(reader.number("I"))}
    if rest := len(reader.data) - reader.position:
        raise reader.damage(f"{rest} bytes follow the model")
    if lost := sorted(set(aliases.values()) - set(variables)):
        raise reader.damage(f"an alias stands for {lost[0]!r}, which is not a variable")
    return Ct2Model(variables, aliases)


def _check_head(reader: ByteReader) -> None:
    """Read version, name and revision; the name of an unknown version is not read."""
    version = reader.number("I")
    name, revision = (reader.name(), reader.number("I")) if version == VERSION else ("", 0)
    if (version, name, revision) != (VERSION, MODEL, REVISION):
        raise UserError(
            f"{reader.place}: format {version} with model {name!r} revision {revision}; expected "
            f"format {VERSION} with {MODEL!r} revision {REVISION}; convert the model with "
            "CTranslate2 4"
        )


def write_model(path: Path, model: Ct2Model) -> None:
    """Write a `model.bin`, variables and aliases sorted by name as CTranslate2 does it.

    Args:
        path: the file.
        model: arrays of the types in `TYPES`.
    """
    with atomic_file(path) as part, part.open("wb") as file:
        for piece in _pieces(model):
            file.write(piece)


def _pieces(model: Ct2Model) -> Iterator[bytes]:
    yield struct.pack("<I", VERSION) + _name(MODEL)
    yield struct.pack("<II", REVISION, len(model.variables))
    for name, value in sorted(model.variables.items()):
        yield _name(name) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        yield struct.pack("<BI", TYPES.index(value.dtype.name), value.nbytes)
        yield value.astype(value.dtype.newbyteorder("<"), copy=False).tobytes()
    yield struct.pack("<I", len(model.aliases))
    for name, target in sorted(model.aliases.items()):
        yield _name(name) + _name(target)


def _name(text: str) -> bytes:
    raw = text.encode("utf-8") + b"\0"
    return struct.pack("<H", len(raw)) + raw
