"""The dashboard in chromium: its state in the link, its requests, and the CSV."""

from __future__ import annotations

import csv
import io
import re

import pytest
from chromium_page import CHROMIUM, wait
from dashboard_maker import CODES, LABELS
from dashboard_steps import choose, listed, settle

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def test_the_link_restores_the_state_after_a_reload(load, drawn):
    page = load()
    choose(page, "task", "words")
    choose(page, "norm", "within_script")
    choose(page, "second", "tuned")
    page.select_option("#filter-language", label="hr")
    page.fill("#seconds-low", "1.5")
    page.fill("#search", "a")
    page.click("[data-sort='units']")
    page.click("#list tbody tr:nth-child(2)")
    settle(page)
    parts = "#list", "#summary", "#detail", "#count", "#comparison", "#confusions", "#groups"
    before = [page.inner_text(part) for part in parts]
    link = page.url
    assert "language=hr" in link
    page.reload()
    settle(page)
    assert page.url == link
    after = [page.inner_text(part) for part in parts]
    assert after == before
    assert page.input_value("#seconds-low") == "1.5"
    assert page.input_value("#search") == "a"
    assert not page.locator("#message").is_visible()


def test_a_page_from_a_disk_requests_itself_alone(load, address):
    page = load("#clip=clip-00000&second=model_1")
    wait(page, "document.querySelector('audio').readyState >= 4")
    assert [url for url in page.requests if not url.startswith("data:audio/")] == [address]


def test_a_confusion_is_in_the_link(load):
    page = load()
    page.click(".cell >> nth=5")
    settle(page)
    expected = page.inner_text("#count")
    assert "reference=" in page.url
    page.reload()
    settle(page)
    assert page.inner_text("#count") == expected


def test_without_a_second_model_the_list_is_not_sorted_by_it(load):
    worst = listed(load())
    page = load("#second=model_1&sort=difference&order=up")
    assert listed(page) != worst
    choose(page, "second", "none")
    assert page.get_attribute("#list th[aria-sort]", "aria-sort") == "descending"
    assert listed(page) == worst
    assert "sort=" not in page.url
    assert listed(load("#sort=second_rate")) == worst


def test_a_limit_that_is_written_with_an_exponent_is_kept(load):
    page = load()
    page.fill("#rate-low", "0.0000001")
    settle(page)
    expected = page.inner_text("#count")
    assert "without filters" in expected
    page.reload()
    settle(page)
    assert page.inner_text("#count") == expected
    assert not page.locator("#message").is_visible()
    assert load("#rate=1e%2B999..").inner_text("#message").endswith("ignored: rate.")


@pytest.mark.parametrize(
    ("fragment", "ignored"),
    [
        ("#task=nothing&model=x&sort=color&page=-1", "task, model, sort, page"),
        ("#language=xx&seconds=9&snr=..&rate=a..b", "language, seconds, snr, rate"),
        ("#__proto__=1&constructor=2&toString=3", "__proto__, constructor, toString"),
        ("#clip=%3Cimg%20src%3Dx%20onerror%3D1%3E&%3Cb%3E=1", "clip, <b>"),
        ("#page=1&page=2", "page"),
        ("#" + "x" * 5000, "x" * 200),
        ("#%E0%A4%A", "\ufffd"),
        ("#search=" + "y" * 300 + "&reference=" + "z" * 300, "search, reference"),
    ],
)
def test_nonsense_in_the_link_is_ignored_with_a_message(load, fragment, ignored):
    page = load(fragment)
    message = page.text_content("#message")
    assert message.startswith("Parts of the link do not fit this page and were ignored: " + ignored)
    assert len(message) < 400
    assert page.get_attribute("#message", "role") == "alert"
    assert page.locator("#list tbody tr").count() == 50
    assert page.evaluate("location.hash") == "#task=phones&model=model_0"


def test_a_page_number_after_the_last_is_the_last(load):
    assert load("#page=99").inner_text("#pages span") == "Page 2 of 2"


def downloaded(page):
    with page.expect_download() as download:
        page.click("#download")
    path = download.value.path()
    return download.value.suggested_filename, path.read_bytes()


def test_the_download_has_the_filtered_rows_in_their_order(load, drawn):
    page = load("#second=model_2&sex=f")
    name, content = downloaded(page)
    assert name == "phones-model_0.csv"
    text = content.decode("utf-8-sig")
    assert content.startswith(b"\xef\xbb\xbf")
    assert not re.search("(?<!\r)\n", text)
    table = [*csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    indices = listed(page)
    ids = drawn["clips"]["id"]
    assert [row["id"] for row in table] == [
        "'" + ids[n] if ids[n][0] == "=" else ids[n] for n in indices
    ]
    task = drawn["tasks"][0]
    label = dict(zip(CODES, LABELS, strict=True))
    for row, n in zip(table, indices, strict=True):
        assert row["sex"] == "f"
        assert float(row["seconds"]) == drawn["clips"]["seconds"][n]
        assert row["snr_db"] == ("" if n == 7 else f"{drawn['clips']['snr_db'][n]:g}")
        for model, prefix in ((task["models"][0], ""), (task["models"][2], "second_")):
            codes = model["hypotheses"]["phones"][n]
            assert row[prefix + "hypothesis"] == " ".join(label[code] for code in codes or "")
            count = model["deletions"]["phones"][n]
            assert row[prefix + "deletions"] == ("" if count is None else str(count))


def test_the_download_neutralises_formulas_and_keeps_numbers(page):
    fields = [
        "=1+1",
        "+a",
        "-a",
        "@a",
        "\ta",
        "\ra",
        " =a",
        "＝a",
        "a=b",
        'a"b',
        "a,b",
        "a\nb",
        "'",
    ]
    results = page.evaluate("(fields) => fields.map(csvField)", fields)
    plain = [next(csv.reader(io.StringIO(r, newline=""), strict=True))[0] for r in results]
    assert plain == [*("'" + field for field in fields[:8]), *fields[8:]]
    numbers = page.evaluate("[-3.5, 0, null, undefined, NaN, Infinity].map(csvField)")
    assert numbers == ["-3.5", "0", "", "", "", ""]
