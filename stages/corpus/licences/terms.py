"""The conditions of common licences, in short; those of other licences are not guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping

NOTHING = "none"
UNKNOWN = "unknown; read the text of the licence"
NOTICE = "include its text and the copyright notice in copies"
MACHINE = "none: the voices are synthetic, and the sentences are of this project"
ELEMENT_CONDITIONS: Mapping[str, str] = {
    "by": "name the source and the licence, and state the changes",
    "nc": "no commercial use",
    "nd": "do not share adaptations",
    "sa": "share adaptations under the same licence",
}
_LONG: Mapping[str, str] = {
    "creative commons": "cc", "attribution": "by", "sharealike": "sa", "share-alike": "sa",
    "noncommercial": "nc", "non-commercial": "nc", "noderivatives": "nd", "noderivs": "nd",
    "no derivatives": "nd", "zero": "0", "universal": " ", "international": " ", "unported": " ",
    "licence": " ", "license": " ",
}  # fmt: skip
_ADDRESS = re.compile(r"https?://(?:www\.)?creativecommons\.org/(?:licenses|publicdomain)/")
_CC = re.compile(r"cc((?: (?:by|nc|nd|sa))+)(?: [1-4]\.[05])?")
_FREE = re.compile(r"cc ?0(?: 1\.0)?|public ?domain")
_NOTICE = re.compile(r"mit|bsd(?: [23] clause)?|apache(?: 2\.0)?|isc")
_EMBEDDED = re.compile(r"synthetic: spoken by espeak-ng .* sentences composed for this project")


def conditions(licence: str) -> str:
    """Return the conditions under which a licence lets recordings be used or passed on.

    A name with additional words (`CC BY 4.0, not for children`) is not that licence.

    Source: the deeds of the Creative Commons licences 4.0; the texts of the others.

    >>> conditions("CC BY-NC 4.0")
    'name the source and the licence, and state the changes; no commercial use'
    >>> conditions("https://creativecommons.org/publicdomain/zero/1.0/"), conditions("ours")
    ('none', 'unknown; read the text of the licence')
    """
    if _EMBEDDED.fullmatch(licence):
        return MACHINE
    text = _ADDRESS.sub("cc ", licence.casefold())
    for long_form, short_form in _LONG.items():
        text = text.replace(long_form, short_form)
    text = " ".join(re.sub(r"[-_/()]", " ", text).split())
    if _FREE.fullmatch(text):
        return NOTHING
    if _NOTICE.fullmatch(text):
        return NOTICE
    if match := _CC.fullmatch(text):
        elements = match[1].split()
        if "by" in elements and len(set(elements)) == len(elements):
            return "; ".join(
                condition for name, condition in ELEMENT_CONDITIONS.items() if name in elements
            )
    return UNKNOWN
