"""The record in a tag's message is read as it was written."""

from __future__ import annotations

import pytest

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.gate import GateRow
from fonoteka.release.record import ReleaseRecord, licence_text, message_of, parse_record

RECORD = ReleaseRecord(
    {"one.per": "0.07", "one.lag": "-12"}, "968b1d8ba908", "MIT; training data: CC0", "16dc" * 16
)
ROWS = [
    GateRow("one.per", "0.07", "0.071", "lower", "0.09", "0.005"),
    GateRow("one.lag", "-12", "new", "higher", "-20", "0"),
]


@pytest.mark.parametrize("text", ["", "a", "a\n\nb\n", "Number: of clips\n\nPackage: small"])
@pytest.mark.parametrize("base", ["", "v1.0.0"])
def test_a_record_is_read_back_whatever_the_user_writes_above_it(text, base):
    message = message_of("one v1.1.0", text, RECORD, ROWS, base)
    assert parse_record(message) == RECORD
    assert parse_record(message + "\n") == RECORD
    assert ("v1.0.0 had 0.071" in message) == bool(base)
    assert "had new" not in message


@pytest.mark.parametrize(
    "message",
    [
        "first",
        "one v1.0.0\n\nLicence: MIT\nPackage: 16dc",
        "one v1.0.0\n\nNumber: one.per many\nData-Revision: 1\nLicence: MIT\nPackage: 16dc",
        "one v1.0.0\n\nData-Revision: 1\nLicence: MIT\nPackage: 16dc\nand more",
    ],
)
def test_other_messages_have_no_record(message):
    assert parse_record(message) is None


@pytest.mark.parametrize("package", [{}, {"licence": "MIT"}, {"licence": {"weights": "MIT"}}])
def test_a_package_without_a_licence_is_refused(package):
    with pytest.raises(UserError, match=r"package\.json has no licence with weights"):
        licence_text(package)
