"""The checksums are the remainders of the polynomial divisions that the formats prescribe."""

from __future__ import annotations

import random

import pytest

from fonoteka.audiocheck.containers.checksums import (
    crc8_flac,
    crc16_flac,
    crc16_lame,
    crc32_ogg,
)


def highest_bit_first(data, polynomial, width):
    """Return the remainder by the definition, one bit at a time, from the initial value 0."""
    value, top = 0, 1 << (width - 1)
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial * bool(value & top)) & (2 * top - 1)
    return value


def lowest_bit_first(data, polynomial, width):
    """Return the same with the bits of each byte, and of the result, in reverse order."""
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    return int(f"{highest_bit_first(reverse, polynomial, width):0{width}b}"[::-1], 2)


@pytest.mark.parametrize(
    ("checksum", "division", "polynomial", "width"),
    [
        (crc8_flac, highest_bit_first, 0x07, 8),
        (crc16_flac, highest_bit_first, 0x8005, 16),
        (crc16_lame, lowest_bit_first, 0x8005, 16),
        (crc32_ogg, highest_bit_first, 0x04C11DB7, 32),
    ],
)
def test_a_checksum_is_the_remainder_of_its_polynomial_at_every_length(
    checksum, division, polynomial, width
):
    rng = random.Random(0)
    for size in (*range(70), 255, 256, 257, 4097):
        data = rng.randbytes(size)
        assert checksum(data) == division(data, polynomial, width), size


def test_a_flac_frame_with_its_own_checksum_has_checksum_0():
    frame = random.Random(1).randbytes(500)
    assert crc16_flac(frame + crc16_flac(frame).to_bytes(2, "big")) == 0
