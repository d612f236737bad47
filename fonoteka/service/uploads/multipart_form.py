"""Parse a multipart body while it arrives: fields to memory, the file piece by piece.

python-multipart finds the boundaries; this module bounds and checks everything between them.
"""

from __future__ import annotations

import logging

from starlette.datastructures import Headers

from fonoteka.service.api_errors import ApiError
from fonoteka.service.uploads.refusals import malformed

FILE = "file"  # name of the only part that may be a file
_FIELDS = 64
_FIELD_BYTES = 1 << 20  # of all fields together; the words of two hours are 100 KB
_NAME_BYTES = 255
_BOUNDARY_BYTES = 70  # RFC 2046, 5.1.1
# It warns of every malformed body, which is answered; clients could fill the log with that.
logging.getLogger("python_multipart").setLevel(logging.ERROR)
_PLAIN_ENCODINGS = (b"", b"7bit", b"8bit", b"binary")


def boundary_of(headers: Headers) -> bytes:
    """Return the boundary of a multipart body.

    Raises:
        ApiError: 415, the body is not a form with a file; 400, its boundary is missing or too long.
    """
    from python_multipart.multipart import parse_options_header

    kinds = headers.getlist("content-type")
    kind, options = parse_options_header(kinds[0] if len(kinds) == 1 else "")
    if kind != b"multipart/form-data":
        shown = ", ".join(kinds)[:80] or "missing"
        raise ApiError(
            415, f"Content-Type is {shown!a}; expected multipart/form-data with the part {FILE}",
            "unsupported_media_type",
        )  # fmt: skip
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= _BOUNDARY_BYTES:
        raise malformed(
            f"Content-Type has a boundary of {len(boundary)} bytes; expected 1 to {_BOUNDARY_BYTES}"
        )
    return boundary


class MultipartReader:
    """A multipart body that is parsed as it arrives.

    Attributes:
        fields: values by name.
        file_name: that the client gave; None until the file begins.
        pending: bytes of the file that were not taken yet.
    """

    def __init__(self, boundary: bytes) -> None:
        from python_multipart.multipart import MultipartParser

        self.fields: dict[str, list[str]] = {}
        self.file_name: str | None = None
        self.pending = bytearray()
        self._name, self._value = "", bytearray()
        self._header, self._content = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._count = self._bytes = 0
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part, "on_header_field": self._add_to_header,
                "on_header_value": self._add_to_content, "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers, "on_part_data": self._add_data,
                "on_part_end": self._end_part, "on_end": self._end,
            },
        )  # fmt: skip

    def feed(self, data: bytes) -> None:
        """Parse the next bytes.

        Raises:
            ApiError: 400, they do not belong to a multipart body, or a part is refused.
        """
        from python_multipart.exceptions import FormParserError

        try:
            self._parser.write(data)
        except FormParserError as error:
            raise malformed(f"the body is not multipart/form-data: {error}") from error

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            ApiError: 400, it ended early.
        """
        if not self._ended:
            raise malformed("the body ended before its last boundary; send it whole")

    def take(self) -> bytearray:
        """Return the bytes of the file that were not taken yet."""
        data, self.pending = self.pending, bytearray()
        return data

    def _begin_part(self) -> None:
        self._count += 1
        if self._count > _FIELDS:
            raise malformed(f"the form has more than {_FIELDS} parts; send only fields of the API")
        self._headers, self._value = {}, bytearray()
        self._header, self._content = bytearray(), bytearray()

    def _add_to_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_to_content(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]

    def _end_header(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._content)
        self._header, self._content = bytearray(), bytearray()

    def _end_headers(self) -> None:
        from python_multipart.multipart import parse_options_header

        kind, options = parse_options_header(
            self._headers.get(b"content-disposition", b"").decode("latin-1")
        )
        name = options.get(b"name", b"")
        if kind != b"form-data" or not 1 <= len(name) <= _NAME_BYTES:
            raise malformed(f"part {self._count} of the form has no name, or one that is too long")
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if encoding not in _PLAIN_ENCODINGS:
            raise malformed(f"part {self._count} is encoded as {encoding[:20]!r}; send its bytes")
        self._name = name.decode("utf-8", "replace")
        if self._name == FILE:
            self._begin_file(options.get(b"filename", b""))
        elif b"filename" in options:
            message = f"the part {self._name[:80]!a} is a file; only {FILE} may be one"
            raise malformed(message, self._name)

    def _begin_file(self, name: bytes) -> None:
        if self.file_name is not None:
            raise malformed(f"the form has two parts {FILE}; send one recording", FILE)
        self.file_name = name[:_NAME_BYTES].decode("utf-8", "replace") or FILE

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == FILE:
            self.pending += memoryview(data)[start:end]
            return
        self._bytes += end - start
        if self._bytes > _FIELD_BYTES:
            raise malformed(
                f"the fields of the form have more than {_FIELD_BYTES} bytes; send less", self._name
            )
        self._value += data[start:end]

    def _end_part(self) -> None:
        if self._name == FILE:
            return
        try:
            value = self._value.decode("utf-8")
        except UnicodeDecodeError as error:
            message = f"the field {self._name[:80]!a} is not UTF-8: {error.reason}"
            raise malformed(message, self._name) from error
        self.fields.setdefault(self._name, []).append(value)

    def _end(self) -> None:
        self._ended = True
