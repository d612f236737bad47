"""The dashboard's page as text: what is packed, escaped and allowed, its size, the same bytes."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import random
import re
from base64 import b64encode
from pathlib import Path

import pytest
from dashboard_maker import CODES, HOSTILE, document, operations

import fonoteka.reporting.dashboard.page.render as render_module
from fonoteka.reporting.dashboard.page.pack import edits_of, packed_document, units_of
from fonoteka.reporting.dashboard.page.render import SCRIPTS, data_json, render

ASSETS = Path(render_module.__file__).with_name("assets")
MOST_SCRIPT_BYTES = 80_000
MOST_PAGE_BYTES = 5_000_000


def data_of(html):
    """Return the document of a page, as an HTML parser and JSON read it."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script', html, re.S)
    return json.loads(text)


def read_edits(edits, reference, words):
    """Return a hypothesis and its alignment from its edits: the inverse, written for this test."""
    tokens = edits.split(" ") if words and edits else re.findall(r"\d+|d|[si].", edits, re.S)
    units, result, steps, position = units_of(reference, words), [], "", 0
    for token in [*tokens, str(len(units))]:
        if token.isdecimal():
            run = min(int(token), len(units) - position)
            result += units[position : position + run]
            steps += "=" * run
            position += run
            continue
        steps += token[0]
        position += token[0] != "i"
        result += [token[1:]] if token[0] != "d" else []
    return result, steps


@pytest.mark.parametrize("words", [False, True])
def test_edits_contain_the_hypothesis_and_its_alignment(words):
    # Digits and the letters of operations are units too.
    rng = random.Random(3)
    pool = ["12", "s", "d", "i7", "=", "x"] if words else [*"12sdi=xy"]
    glue = " " if words else ""
    for _ in range(500):
        reference, units = (rng.choices(pool, k=rng.randrange(8)) for _ in range(2))
        steps = operations(reference, units)
        edits = edits_of(glue.join(reference), glue.join(units), steps, words=words)
        assert read_edits(edits, glue.join(reference), words) == (units, steps)


def test_a_hypothesis_equal_to_its_reference_takes_no_byte():
    assert edits_of("abc", "abc", "===", words=False) == ""


@pytest.mark.parametrize(
    ("reference", "written", "steps", "message"),
    [
        ("abc", "abd", "===", "does not fit 'abc'"),
        ("abc", "abc", "==", "does not fit 'abc' and 'abc'"),
        ("abc", "abcd", "===", "does not fit"),
        ("abc", "abx", "==x", "is not one of '=sdi'"),
    ],
)
def test_an_alignment_that_does_not_fit_its_texts_is_refused(reference, written, steps, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        edits_of(reference, written, steps, words=False)


def test_counts_that_differ_from_the_alignment_are_refused():
    wrong = document(20, hostile=False)
    wrong["tasks"][0]["models"][1]["deletions"]["phones"][8] += 1
    with pytest.raises(AssertionError, match="clip 8: counts"):
        render(wrong)


@pytest.mark.parametrize("column", ["id", "seconds", "language"])
def test_columns_of_another_length_are_refused(column):
    wrong = document(20, hostile=False)
    values = wrong["clips"][column]
    (values["index"] if isinstance(values, dict) else values).pop()
    with pytest.raises(AssertionError):
        render(wrong)


def test_audio_of_another_place_is_refused():
    wrong = document(20, hostile=False)
    wrong["clips"]["audio"]["1"] = "https://example.org/a.wav"
    with pytest.raises(AssertionError, match=r"clips.audio\[1\] is not an embedded sound"):
        render(wrong)


def test_a_number_that_is_not_finite_is_refused():
    wrong = document(20, hostile=False)
    wrong["clips"]["snr_db"][0] = math.inf
    with pytest.raises(ValueError, match="Out of range float"):
        render(wrong)


def test_texts_and_counts_of_clips_without_alignment_are_kept():
    source = document(20, hostile=False)
    model = packed_document(source)["tasks"][0]["models"][0]
    plain = source["tasks"][0]["models"][0]
    assert model["edits"]["phones"][3] is None
    assert model["counts"]["phones"] == {
        "3": [plain[key]["phones"][3] for key in ("substitutions", "deletions", "insertions")]
    }
    assert model["texts"]["phones"] == {"4": plain["hypotheses"]["phones"][4]}


def test_a_withheld_text_is_not_in_the_page():
    source = document(20, hostile=False)
    assert source["clips"]["withheld"] == [3]
    for task in data_of(render(source))["tasks"]:
        for norm in task["normalisations"]:
            assert task["references"][norm][3] is None
            for model in task["models"]:
                assert model["edits"][norm][3] is None
                assert "3" not in model["texts"][norm]


def test_reports_are_in_the_page_as_they_are():
    source = document(20)
    for task, packed in zip(source["tasks"], data_of(render(source))["tasks"], strict=True):
        assert packed["pairs"] == task["pairs"]
        for model, other in zip(task["models"], packed["models"], strict=True):
            for key in ("report", "confusion", "curves", "confidence"):
                assert other[key] == model[key]


def test_hostile_texts_are_data_and_come_back_unchanged():
    html = render(document())
    texts = data_of(html)["tasks"][1]["references"]["as_written"]
    assert texts[10 : 10 + len(HOSTILE)] == HOSTILE
    scripts = re.findall(r"<script\b", html)
    assert len(scripts) == len(SCRIPTS) + 1
    assert html.count("</script>") == len(SCRIPTS) + 1
    assert "onerror=window" in html
    assert "<img" not in html
    assert not re.search("[\x00\u2028\u2029\ufeff]", html)


def test_the_title_is_text():
    html = render({**document(20), "title": " </title><b>\x00 & more \n"})
    assert "<title>&lt;/title&gt;&lt;b&gt;\ufffd &amp; more</title>" in html


def test_a_lone_surrogate_can_be_written():
    source = document(20, hostile=False)
    source["clips"]["id"][0] = "\ud800"
    html = render(source)
    assert html.encode()
    assert data_of(html)["clips"]["id"][0] == "\ud800"


def test_the_policy_allows_the_scripts_and_the_style_of_the_page_alone():
    html = render(document(20))
    (policy,) = re.findall(r'Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#x27;", "'").split(";"))
    parts = re.findall(r"<script>(.*?)</script>", html, re.S)
    hashes = [f"'sha256-{b64encode(hashlib.sha256(p.encode()).digest()).decode()}'" for p in parts]
    assert rules.pop("script-src").split() == hashes
    assert rules.pop("style-src").startswith("'sha256-")
    assert rules == {
        "default-src": "'none'",
        "media-src": "data:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_equal_documents_give_equal_pages_whatever_the_order_of_their_keys():
    source = document(20)

    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [*map(turned, value)] if isinstance(value, list) else value

    original = copy.deepcopy(source)
    assert render(turned(source)) == render(source)
    assert source == original


def test_scripts_are_all_in_the_page_and_small():
    assert {path.name for path in ASSETS.glob("*.js")} == {*SCRIPTS}
    size = sum((ASSETS / name).stat().st_size for name in SCRIPTS)
    assert 10_000 < size <= MOST_SCRIPT_BYTES


def test_no_script_writes_html_or_requests_anything():
    source = "".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "fetch(",
                 "XMLHttpRequest", "import(", "Function("):  # fmt: skip
        assert word not in source.replace("`fetch`", "")


def test_ten_thousand_utterances_of_seven_models_are_below_the_limit():
    # 25 phones and 6 words on average, with error rates of 4 to 28 %.
    source = document(1000, models=5, units=25, hostile=False, audio=False)
    empty = document(20, models=5, units=25, hostile=False, audio=False)
    small = len(render(empty).encode())
    per_clip = (len(render(source).encode()) - small) / 980
    assert small + 10_000 * per_clip <= MOST_PAGE_BYTES


def test_json_has_every_code_of_an_alphabet():
    assert json.loads(data_json({"codes": CODES + "<>&'\"\\"}))["codes"].startswith(CODES)
