r"""The record of a release: the last paragraph of its tag's message, for people and for programs.

    wavlm_ctc v1.1.0

    Trained with three more speakers.

    Number: wavlm_ctc.per 0.0706 (lower is better, limit 0.09, v1.0.0 had 0.0712)
    Data-Revision: 5c1d6a30b0f5
    Licence: Apache-2.0; training data: CC0
    Package: 9f64a747e1b97f131fabb6b447296c9b6f0201e79fb3c5356e6c77e89b6a806a

Its lines are trailers, as in messages of git. `promote` computes the record of a version again and
compares the two, so a tag that another program wrote cannot be promoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.gate import GateRow

NUMBER, DATA, LICENCE, PACKAGE_HASH = "Number", "Data-Revision", "Licence", "Package"
_LINE = re.compile(r"([A-Z][A-Za-z-]*): (.+)")
_NUMBER = re.compile(r"(\S+) (-?[0-9]+(?:\.[0-9]+)?) \(.*\)")


@dataclass(frozen=True)
class ReleaseRecord:
    """What a release states of a model.

    Attributes:
        numbers: gated values by name, as decimal texts.
        data: revision of the data, 12 hexadecimal digits.
        licence: of the weights, and those of the training data.
        package: SHA-256 of package.json, which has the hashes of all other files.
    """

    numbers: Mapping[str, str]
    data: str
    licence: str
    package: str


def message_of(
    title: str, text: str, record: ReleaseRecord, rows: Iterable[GateRow], base: str
) -> str:
    """Return the message of a tag.

    Args:
        title: the first line.
        text: of the user; may be empty.
        record: of the release.
        rows: of its numbers, with limits and values at the base.
        base: the version before; empty for the first one.
    """
    lines = [f"{NUMBER}: {row.number} {row.value} ({_limits(row, base)})" for row in rows]
    lines += [f"{DATA}: {record.data}", f"{LICENCE}: {record.licence}"]
    lines.append(f"{PACKAGE_HASH}: {record.package}")
    return "\n\n".join(part for part in (title, text.strip(), "\n".join(lines)) if part)


def _limits(row: GateRow, base: str) -> str:
    before = f", {base} had {row.base}" if base and re.fullmatch("[-0-9.]+", row.base) else ""
    return f"{row.direction} is better, limit {row.limit}{before}"


def require_text(message: str) -> None:
    """Require that the message of a user is text, because a tag is UTF-8.

    A shell passes any bytes. It is checked first: `promote` takes a stage from a greater version
    before it writes the tag with the message.

    Raises:
        UserError: the message has bytes that are not UTF-8.
    """
    try:
        message.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"--message {message!a}: expected text in UTF-8, found another byte; write it again"
        ) from error


def parse_record(message: str) -> ReleaseRecord | None:
    """Return the record in the message of a tag, or None if its last paragraph is not one.

    >>> parse_record("a first version") is None
    True
    """
    paragraph = message.strip().rpartition("\n\n")[2]
    lines = [_LINE.fullmatch(line) for line in paragraph.splitlines()]
    pairs = [(line[1], line[2]) for line in lines if line]
    texts = dict(pairs)
    numbers = [_NUMBER.fullmatch(value) for key, value in pairs if key == NUMBER]
    if not all(lines) or not all(numbers) or not {DATA, LICENCE, PACKAGE_HASH} <= texts.keys():
        return None
    values = {number[1]: number[2] for number in numbers if number}
    return ReleaseRecord(values, texts[DATA], texts[LICENCE], texts[PACKAGE_HASH])


def licence_text(package: Mapping[str, object]) -> str:
    """Return the licence that a package.json states, in one line.

    Raises:
        UserError: it states none in the expected form.

    >>> licence_text({"licence": {"weights": None, "training_data": ["CC0", "CC BY 4.0"]}})
    'not stated; training data: CC0, CC BY 4.0'
    """
    licence = package.get("licence")
    data = licence.get("training_data") if isinstance(licence, dict) else None
    if not isinstance(licence, dict) or not isinstance(data, list) or "weights" not in licence:
        raise UserError("package.json has no licence with weights and training_data; run dvc repro")
    text = f"{licence['weights'] or 'not stated'}; training data: {', '.join(map(str, data))}"
    return " ".join(text.split())
