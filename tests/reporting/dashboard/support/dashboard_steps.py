"""What a reader does on the dashboard's page, in chromium; each step takes playwright's page."""

from __future__ import annotations

from chromium_page import LIMIT_S, WATCH_POLICY, wait

# The last section that is drawn after a change; timers of the page are at most 250 ms.
READY = "document.querySelectorAll('#list tbody tr, #further *').length > 1"
SETTLE_MS = 350


def open_window(browser, **options):
    """Return a window that notes its requests, errors and messages of the console."""
    context = browser.new_context(
        **{"viewport": {"width": 1400, "height": 1000}, "accept_downloads": True, **options}
    )
    context.set_default_timeout(LIMIT_S * 1000)
    context.add_init_script(WATCH_POLICY)
    page = context.new_page()
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda message: page.problems.append(message.text))
    return page


def open_page(page, url, fragment=""):
    """Open a page with a state in its link, and wait until all of it is drawn."""
    page.goto("about:blank")  # or a change of the fragment alone would not load the page
    page.requests.clear()
    page.goto(url + fragment)
    wait(page, READY)
    page.wait_for_timeout(SETTLE_MS)
    return page


def check_window(page):
    """Check that a page raised no error, broke no policy and requested itself alone."""
    assert page.problems == []
    assert page.evaluate("violations") == []
    assert page.evaluate("window.broken") is None
    # The addresses of sounds and of a download are inside the page.
    others = [url for url in page.requests if not url.startswith(("data:", "blob:", "about:"))]
    assert len({url.partition("#")[0] for url in others}) <= 1


def settle(page):
    page.wait_for_timeout(SETTLE_MS)


def values(page, selector):
    """Return the exact numbers of a part of the page, in their order."""
    return [
        float(value) for value in page.eval_on_selector_all(
            f"{selector} data", "numbers => numbers.map((number) => number.value)"
        )
    ]  # fmt: skip


def rows(page, selector):
    """Return the texts of the cells of a table's body."""
    return page.eval_on_selector_all(
        f"{selector} tbody tr",
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))",
    )


def listed(page):
    """Return the indices of the clips of all pages of the list."""
    result = []
    if not page.is_disabled("#first-page"):
        page.click("#first-page")
    while True:
        result += page.eval_on_selector_all(
            "#list tbody tr", "rows => rows.map((row) => Number(row.dataset.clip))"
        )
        if page.is_disabled("#next-page"):
            return result
        page.click("#next-page")


def steps_shown(page):
    """Return the columns of the alignment: reference, then mark and unit of each model."""
    return page.eval_on_selector_all(
        ".alignment .step",
        "steps => steps.map((step) => [...step.children].map((cell) => cell.textContent))",
    )


def choose(page, name, label):
    page.select_option(f"#{name}", label=label)
    settle(page)


def select_only(page, name, value):
    """Clear the filters, then set one list or one number."""
    page.click("#clear")
    if name.endswith(("-low", "-high")) or name == "search":
        page.fill(f"#{name}", str(value))
    else:
        page.select_option(f"#{name}", label=value)
    settle(page)
