"""An id is taken from a request only if nothing can hide in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.service.telemetry.access_line import request_id

MADE = re.compile(r"[0-9a-f]{32}")


@given(st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True))
def test_an_id_of_visible_letters_is_taken(text):
    assert request_id([(b"accept", b"*/*"), (b"X-Request-Id", text.encode())]) == text


@given(st.binary())
def test_any_other_is_replaced(value):
    result = request_id([(b"x-request-id", value)])
    assert MADE.fullmatch(result) or result.encode() == value
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", result)


@pytest.mark.parametrize("value", [b"", b"a" * 65, b"a b", b"a\n", b"\xc5\xa1", b"../a", b"a,b"])
def test_an_odd_id_is_replaced_by_a_new_one(value):
    assert MADE.fullmatch(request_id([(b"x-request-id", value)]))


def test_two_ids_are_replaced_because_no_one_can_tell_which_is_meant():
    assert MADE.fullmatch(request_id([(b"x-request-id", b"a"), (b"x-request-id", b"b")]))


def test_made_ids_differ():
    assert len({request_id([]) for _ in range(1000)}) == 1000
