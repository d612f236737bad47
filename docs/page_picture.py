"""What the scripts that make pictures of pages share: a browser, and PNGs of few colours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file

CHROMIUM = "/usr/bin/chromium"
COLOURS = 64  # greys of letters and a few colours; 256 make the file a third larger


@contextmanager
def browser_page(width: int, height: int, *, dark: bool, **options: Any) -> Iterator[Page]:
    """Yield an empty page of chromium, in pixels, and close the browser afterwards.

    Args:
        width: of the window.
        height: of the window.
        dark: whether the page is to use its dark colours.
        options: further ones of playwright's `new_page`.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            **options,
        )
        browser.close()


def write_picture(png: bytes, out: Path, largest_bytes: int, way_out: str) -> None:
    """Write a PNG with a palette of few colours.

    Args:
        png: the screenshot.
        out: the file.
        largest_bytes: that the file may have.
        way_out: what to do about a larger one, for the message.

    Raises:
        UserError: the file would be larger.
    """
    buffer = io.BytesIO()
    palette = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(buffer, "PNG", optimize=True)
    size = buffer.tell()
    if size > largest_bytes:
        raise UserError(f"{out}: {size} bytes are above the limit of {largest_bytes}; {way_out}")
    with atomic_file(out) as part:
        part.write_bytes(buffer.getvalue())
