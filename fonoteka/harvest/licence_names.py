"""Write a licence in one form, whether a source states its address, its SPDX id or its name."""

from __future__ import annotations

import re

from fonoteka.harvest.item import ItemRefusedError, Outcome

_ADDRESS = re.compile(
    r"^https?://(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/([0-9.]+))?",
    re.IGNORECASE,
)
_SPDX = re.compile(r"^cc-?(0|by(?:-(?:nc|nd|sa))*)[- ]([0-9.]+)$", re.IGNORECASE)
_ZERO = {"zero": "CC0", "mark": "Public Domain Mark"}
_LINK = re.compile(r"<([^>]*)>((?:\s*;[^,]*)?)")
_NONE = re.compile(r"all rights reserved|copyright|©|\(c\)", re.IGNORECASE)


def licence_name(text: str) -> str:
    """Return a licence as corpora state it; empty if the text grants nothing.

    A copyright line names an owner and grants nothing.

    >>> licence_name("https://creativecommons.org/licenses/by-sa/4.0/deed.hr")
    'CC BY-SA 4.0'
    >>> licence_name("cc-by-4.0"), licence_name("http://creativecommons.org/publicdomain/zero/1.0/")
    ('CC BY 4.0', 'CC0 1.0')
    >>> licence_name("© 2024 Radio, all rights reserved"), licence_name("by letter of 3 May 2024")
    ('', 'by letter of 3 May 2024')
    """
    plain = " ".join(text.split())
    if match := _ADDRESS.match(plain):
        kind, code, version = match.groups(default="")
        name = _ZERO.get(code.lower()) if kind == "publicdomain" else f"CC {code.upper()}"
        return " ".join(filter(None, [name or code, version]))
    if match := _SPDX.match(plain):
        code, version = match.groups()
        return f"CC0 {version}" if code == "0" else f"CC {code.upper()} {version}"
    return "" if _NONE.search(plain) else plain


def check_link(header: str, licence: str) -> None:
    """Refuse an answer whose header Link states another licence than the source does.

    Raises:
        ItemRefusedError: it does.
    """
    for target, parameters in _LINK.findall(header):
        relation = re.search(r'rel\s*=\s*"?([^";]*)', parameters, re.IGNORECASE)
        if relation and "license" in relation[1].lower().split():
            name = licence_name(target)
            if name and name != licence:
                detail = f"the source states {licence!r}, the file {name!r}"
                raise ItemRefusedError(Outcome.CHANGED_LICENCE, detail)
