"""Measure the dashboard's page in chromium: size, first paint, filters, memory.

    python tests/reporting/dashboard/support/time_page.py               10,000 utterances
    python tests/reporting/dashboard/support/time_page.py --count 1000 --repeat 3

Prints one JSON object; times are in milliseconds. `script_ms` is the time in which the page cannot
react to a filter, and `frame_ms` ends with the frame after the one that shows its rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[4]))

from dashboard_maker import document
from playwright.sync_api import sync_playwright

from fonoteka.reporting.dashboard.page.render import render

CHROMIUM = "/usr/bin/chromium"
PAINT = """() => new Promise((done) => {
  const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  if (paint()) done(paint());
  else new PerformanceObserver(() => done(paint())).observe({ type: "paint", buffered: true });
})"""
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
FILTER = """([id, value, type]) => new Promise((done) => {
  const field = document.getElementById(id);
  field.value = value;
  const start = performance.now();
  field.dispatchEvent(new Event(type, { bubbles: true }));
  const script = performance.now() - start;
  const end = () => done([script, performance.now() - start]);
  requestAnimationFrame(() => requestAnimationFrame(end));
})"""
FILTERS = [
    ("search", "mod", "input"),
    ("search", "moda", "input"),
    ("search", "", "input"),
    ("filter-language", "1", "change"),
    ("filter-language", "", "change"),
    ("seconds-low", "3", "input"),
    ("seconds-low", "", "input"),
    ("rate-low", "10", "input"),
    ("rate-low", "", "input"),
    ("model", "1", "change"),
    ("second", "2", "change"),
    ("search", "a", "input"),
    ("search", "", "input"),
    ("task", "1", "change"),
    ("search", "ki", "input"),
]


def measure(page_path: Path, repeat: int) -> dict[str, object]:
    """Return the times of fresh windows, each of which uses every filter once."""
    paints, loads, filters = [], [], {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # A fresh window each time, because a page keeps the texts that it searched before.
        for _ in range(repeat):
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.goto(page_path.as_uri())
            paints.append(page.evaluate(PAINT))
            loads.append(page.evaluate(LOADED))
            page.wait_for_timeout(1000)
            for step, change in enumerate(FILTERS):
                times = page.evaluate(FILTER, [*change])
                filters.setdefault(f"{step:02} {change[0]}={change[1]}", []).append(times)
                page.wait_for_timeout(300)
            page.close()
        browser.close()
    return {
        "first_paint_ms": round(statistics.median(paints)),
        "first_paint_ms_worst": round(max(paints)),
        "loaded_ms": round(statistics.median(loads)),
        "filters": {
            name: {
                "script_ms": round(statistics.median(script for script, _ in times), 1),
                "frame_ms": round(statistics.median(frame for _, frame in times), 1),
                "frame_ms_worst": round(max(frame for _, frame in times), 1),
            }
            for name, times in filters.items()
        },
    }


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="utterances; default 10,000")
    parser.add_argument("--units", type=int, default=25, help="mean phones per utterance")
    parser.add_argument("--repeat", type=int, default=5, help="fresh windows; default 5")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.html"
        html = render(document(args.count, models=5, units=args.units, hostile=False, audio=False))
        path.write_text(html, encoding="utf-8", newline="\n")
        result = {
            "utterances": args.count,
            "bytes": path.stat().st_size,
            **measure(path, args.repeat),
            "load_average": os.getloadavg()[0],
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
