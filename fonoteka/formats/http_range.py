"""The rest of a file by HTTP, after a download that was cut: RFC 9110, section 14."""

from __future__ import annotations

import re

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def range_headers(have: int, validator: str) -> dict[str, str]:
    """Return the headers of a request for what follows the first `have` bytes.

    Args:
        have: bytes that have arrived; 0 asks for the whole file.
        validator: of the answer that they are from; with it a server sends the whole file if the
            file has changed. Empty if it is not known.

    >>> range_headers(3, '"a"'), range_headers(0, '"a"')
    ({'Range': 'bytes=3-', 'If-Range': '"a"'}, {})
    """
    if not have:
        return {}
    return {"Range": f"bytes={have}-"} | ({"If-Range": validator} if validator else {})


def is_rest(content_range: str, have: int) -> bool:
    """Return whether the header Content-Range of an answer begins at byte `have`.

    >>> is_rest("bytes 3-9/10", 3), is_rest("bytes 0-9/10", 3), is_rest("", 3)
    (True, False, False)
    """
    match = _CONTENT_RANGE.fullmatch(content_range)
    return match is not None and int(match[1]) == have
