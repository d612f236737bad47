"""The picture of the dashboard in the README can be made again."""

from __future__ import annotations

import subprocess
import sys

import pytest
from chromium_page import CHROMIUM
from dashboard_maker import document
from dvc_yaml import TOP

from fonoteka.reporting.dashboard.page.render import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
SCRIPT = TOP / "docs/make_dashboard_picture.py"


@pytest.mark.parametrize("options", [[], ["--dark", "--fragment", "#task=words&second=tuned"]])
def test_a_picture_has_at_most_150_kb(tmp_path, options):
    page, out = tmp_path / "index.html", tmp_path / "dashboard.png"
    page.write_text(render(document(60, hostile=False)), encoding="utf-8")
    subprocess.run([sys.executable, SCRIPT, out, "--page", page, *options], check=True)
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert 20_000 < out.stat().st_size <= 150_000


def test_a_missing_page_is_a_message(tmp_path):
    command = [sys.executable, SCRIPT, tmp_path / "a.png", "--page", tmp_path / "none.html"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "none.html does not exist; build it with: dvc repro dashboard" in result.stderr
