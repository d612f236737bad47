"""Make the picture of the dashboard that the README shows.

    python docs/make_dashboard_picture.py docs/dashboard.png
    python docs/make_dashboard_picture.py OUT.png --page PAGE.html --fragment '#task=words' --dark

Reads   reports/dashboard/index.html, or another page
Writes  OUT.png, at most 150 KB

Needs Debian's chromium; the packages are those of the tests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Page

sys.path.append(str(Path(__file__).resolve().parents[1]))

from page_picture import browser_page, write_picture

from fonoteka.core.errors import UserError

TOP = Path(__file__).resolve().parents[1]
LARGEST_BYTES = 150_000
WIDTH, HEIGHT = 1400, 1800
DRAWN_MS = 1500  # sections below the list are drawn in tasks of their own
SHOWN_ROWS = 8  # of the list, so that the map is in the picture too
LONGEST_S = 4  # an utterance whose alignment takes a few lines


def compare_models(page: Page) -> None:
    """Choose the second best model beside the best, and open the worst utterance."""
    names = page.locator("#second option").all_inner_texts()
    if len(names) > 1:
        page.select_option("#second", index=1)
    page.fill("#seconds-high", str(LONGEST_S))
    if page.locator("#list tbody tr").count():
        page.click("#list tbody tr >> nth=0")
    page.evaluate("document.activeElement.blur()")


def screenshot(page_path: Path, fragment: str, dark: bool) -> bytes:
    """Return a PNG of the upper part of a page, in the state of a fragment if one is given."""
    with browser_page(WIDTH, HEIGHT, dark=dark, reduced_motion="reduce") as page:
        page.goto(page_path.resolve().as_uri() + fragment)
        page.wait_for_timeout(DRAWN_MS)
        if not fragment:
            compare_models(page)
        page.evaluate(f"document.querySelector('#list').style.maxHeight = '{SHOWN_ROWS * 2}rem'")
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(DRAWN_MS)
        return page.screenshot()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--page", type=Path, default=TOP / "reports/dashboard/index.html")
    parser.add_argument("--fragment", default="", help="the state as in a link, from # on")
    parser.add_argument("--dark", action="store_true", help="the dark colours of the page")
    args = parser.parse_args()
    if not args.page.exists():
        parser.error(f"{args.page} does not exist; build it with: dvc repro dashboard")
    try:
        picture = screenshot(args.page, args.fragment, args.dark)
        write_picture(picture, args.out, LARGEST_BYTES, "show less by --fragment")
    except UserError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
