"""Checksums that sound formats carry, under the names that they have in these formats.

`fastcrc` computes them under the names of the catalogue of CRC algorithms; each example is the
catalogue's check value.
"""

from __future__ import annotations

from fastcrc import crc8, crc16, crc32


def crc8_flac(data: bytes) -> int:
    """Return the CRC-8 of a FLAC frame's header.

    Polynomial 0x07, initial value 0: CRC-8/SMBUS. Source: RFC 9639, section 9.1.8.

    >>> hex(crc8_flac(b"123456789"))
    '0xf4'
    """
    return crc8.smbus(data)


def crc16_flac(data: bytes) -> int:
    """Return the CRC-16 of a FLAC frame; it is 0 for a frame with its own checksum at the end.

    Polynomial 0x8005, highest bit first, initial value 0: CRC-16/UMTS. Source: RFC 9639,
    section 9.3.

    >>> hex(crc16_flac(b"123456789"))
    '0xfee8'
    """
    return crc16.umts(data)


def crc16_lame(data: bytes) -> int:
    """Return the CRC-16 that LAME and ffmpeg write into the first frame of an MP3 file.

    Polynomial 0x8005, lowest bit first, initial value 0: CRC-16/ARC. Source: LAME's `VbrTag.c`.

    >>> hex(crc16_lame(b"123456789"))
    '0xbb3d'
    """
    return crc16.arc(data)


def crc32_ogg(data: bytes) -> int:
    """Return the CRC-32 of an Ogg page, in which the four bytes of the checksum are 0.

    Polynomial 0x04C11DB7, highest bit first, initial value 0: CRC-32/CKSUM without its final
    inversion. Source: RFC 3533, section 6.

    >>> hex(crc32_ogg(b"123456789"))
    '0x89a1897f'
    """
    return crc32.cksum(data) ^ 0xFFFFFFFF
