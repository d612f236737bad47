"""Multipart bodies: parsed piece by piece, and bounded in all that the client chooses."""

from __future__ import annotations

import random

import pytest
from starlette.datastructures import Headers

from fonoteka.service.api_errors import ApiError
from fonoteka.service.uploads.multipart_form import MultipartReader, boundary_of

SOUND = b"\r\n--b" + bytes(range(256)) * 9 + b"\r\n--bb\r\n-"


def part(name, data, more=b""):
    head = b'Content-Disposition: form-data; name="%s"%s\r\n\r\n' % (name, more)
    return b"--bound\r\n" + head + data + b"\r\n"


FILE = part(b"file", SOUND, b'; filename="a.wav"')
BODY = part(b"model", "šum".encode()) + FILE + part(b"x", b"1") + part(b"x", b"") + b"--bound--\r\n"


def parsed(pieces):
    reader = MultipartReader(b"bound")
    sound = bytearray()
    for piece in pieces:
        reader.feed(piece)
        sound += reader.take()
    reader.finish()
    return reader.fields, reader.file_name, bytes(sound)


def refused(body, match):
    with pytest.raises(ApiError, match=match) as raised:
        parsed([body])
    assert raised.value.status == 400


def test_a_body_is_read_whatever_pieces_it_comes_in():
    expected = ({"model": ["šum"], "x": ["1", ""]}, "a.wav", SOUND)
    chance = random.Random(0)
    assert parsed([BODY]) == parsed([bytes([byte]) for byte in BODY]) == expected
    for _ in range(200):
        cuts = sorted(chance.choices(range(len(BODY)), k=chance.randrange(1, 8)))
        ends = zip([0, *cuts], [*cuts, len(BODY)], strict=True)
        assert parsed([BODY[start:end] for start, end in ends]) == expected


@pytest.mark.parametrize("end", range(0, len(BODY) - 4, 97))
def test_a_body_that_ends_early_is_refused(end):
    refused(BODY[:end], "ended before its last boundary")


@pytest.mark.parametrize(
    ("body", "match"),
    [
        (FILE + FILE, "two parts file"),
        (part(b"image", b"", b'; filename="a"'), "only file may be one"),
        (part(b"x", b"") * 65, "more than 64 parts"),
        (part(b"x", bytes(600_000)) * 2, "more than 1048576 bytes"),
        (part(b"x", b"\xff") + b"--bound--", "not UTF-8"),
        (part(b"x" * 256, b""), "too long"),
        (b"--bound\r\nX: y\r\n\r\n\r\n", "part 1 of the form has no name"),
        (b"--bound\r\nContent-Disposition: attachment; name=x\r\n\r\n\r\n", "no name"),
        (b"--bound\r\n" + b"a: b\r\n" * 9, "header count"),
        (b"--bound\r\na: " + b"b" * 5000, "header size"),
        (b"--bound\r\n(: b\r\n", "invalid character"),
        (b"--other\r\n", "boundary character"),
        (b"PK\x03\x04", "boundary character"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_as_it_should_be_is_refused(body, match):
    refused(body, match)


def test_an_encoded_part_is_refused_and_not_taken_for_its_bytes():
    head = b'--bound\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
    refused(head + b"Content-Transfer-Encoding: base64\r\n\r\nUklGRg==\r\n", "encoded as")


@pytest.mark.parametrize("name", [b"../../etc/passwd", b"a\\b", b"\xff\xfe", b"\xc5\xa1.wav", b""])
def test_a_file_may_have_any_name(name):
    _, decoded, sound = parsed([part(b"file", SOUND, b'; filename="%s"' % name) + b"--bound--"])
    assert sound == SOUND
    assert decoded.encode("utf-8")  # can be echoed in JSON


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 415), ("", 415), ("application/json", 415), ("multipart/mixed; boundary=b", 415),
        ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 400),
        ("multipart/form-data; boundary=", 400), (f"multipart/form-data; boundary={'b' * 71}", 400),
    ],
)  # fmt: skip
def test_another_content_type_is_refused(kind, status):
    headers = Headers({} if kind is None else {"Content-Type": kind})
    with pytest.raises(ApiError, match="Content-Type") as raised:
        boundary_of(headers)
    assert raised.value.status == status


def test_the_boundary_may_be_quoted():
    kind = 'Multipart/Form-Data; charset=x; boundary="a b"'
    assert boundary_of(Headers({"content-type": kind})) == b"a b"
