"""Checksums that sound formats carry: FLAC's CRC-8 and CRC-16, Ogg's CRC-32, LAME's CRC-16.

A CRC is the rest of a division of polynomials over GF(2), so it is linear: the checksum of a file
is the XOR of what each of its bytes adds. That allows tables and numpy instead of a loop of bits.
"""

from __future__ import annotations

import zlib
from functools import cache

import numpy as np
import numpy.typing as npt

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_ROW = 256  # bytes that crc16 takes at once


def crc8(data: bytes) -> int:
    """Return the CRC-8 of a FLAC frame's header: polynomial 0x07, begun with 0.

    Source: RFC 9639, section 9.1.8. The check value of this CRC is 0xF4:

    >>> hex(crc8(b"123456789"))
    '0xf4'
    """
    value, table = 0, _table8()
    for byte in data:
        value = table[value ^ byte]
    return value


def crc32_ogg(*parts: bytes) -> int:
    """Return the CRC-32 of an Ogg page, given in parts: polynomial 0x04C11DB7, begun with 0.

    zlib divides by the same polynomial with the bits of each byte in the other order, begins with
    all ones and inverts the rest; both inversions are taken back here. Source: RFC 3533, section 6.

    >>> hex(crc32_ogg(b"1234", b"56789"))
    '0x89a1897f'
    """
    value = 0xFFFFFFFF
    for part in parts:
        value = zlib.crc32(part.translate(_MIRRORED), value)
    return int(f"{value ^ 0xFFFFFFFF:032b}"[::-1], 2)


def crc16(data: bytes) -> int:
    """Return the CRC-16 that LAME writes: polynomial 0x8005, bits mirrored, begun with 0.

    Zeros before the first byte change nothing, so the data is filled up to whole rows. Each column
    of a row has a table of what a byte there adds; a row moves on as two bytes of the next would.

    >>> hex(crc16(b"123456789"))
    '0xbb3d'
    """
    padded = bytes(-len(data) % _ROW) + data
    rows = np.frombuffer(padded, np.uint8).reshape(-1, _ROW)
    tables = _tables16()
    added = np.bitwise_xor.reduce(tables[np.arange(_ROW), rows], axis=1)
    low, high = tables[0].tolist(), tables[1].tolist()
    value = 0
    for rest in added.tolist():
        value = rest ^ low[value & 255] ^ high[value >> 8]
    return value


def crc16_flac(data: bytes) -> int:
    """Return the CRC-16 of a FLAC frame, 0 for a whole one: as `crc16`, the highest bit first.

    A frame ends with its own checksum, so that the rest of the division of all of it is 0. Source:
    RFC 9639, section 9.3.

    >>> hex(crc16_flac(b"123456789"))
    '0xfee8'
    """
    return int(f"{crc16(data.translate(_MIRRORED)):016b}"[::-1], 2)


@cache
def _table8() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value << 1 ^ 0x107) if value & 0x80 else value << 1
        table.append(value)
    return table


@cache
def _tables16() -> npt.NDArray[np.uint16]:
    """Return what each byte adds in each column of a row, shape `[_ROW, 256]`."""
    one = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1 ^ 0xA001) if value & 1 else value >> 1
        one.append(value)
    step = np.array(one, np.uint16)
    tables = np.empty((_ROW, 256), np.uint16)
    tables[-1] = step
    for column in range(_ROW - 2, -1, -1):  # one byte further from the end
        after = tables[column + 1]
        tables[column] = after >> 8 ^ step[after & 255]
    return tables
