"""The whole pipeline on the small profile: a sample of it is verified in a clone."""

from __future__ import annotations

import pytest
import yaml
from clones import PYTHON, committed

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A built clone with its results committed; a test leaves it as it was."""
    return committed(tmp_path_factory, tmp_path_factory.mktemp("verify") / "clone")


def verify(clone, *options):
    return clone.call(*PYTHON, "fonoteka", "verify", *options)


def test_a_sample_finds_what_was_tampered_with(clone):
    lock = clone / "dvc.lock"
    before = lock.read_text(encoding="utf-8")
    outs = yaml.safe_load(before)["stages"]["package@mlp"]["outs"]
    card = next(out for out in outs if out["path"].endswith("README.md"))
    lock.write_text(before.replace(card["md5"], "a" * 32), encoding="utf-8")
    clone.git("commit", "--quiet", "--all", "--message", "tampered")
    try:
        done = verify(clone, "--sample", "package@mlp")
        assert done.returncode == 1
        assert f"different: {card['path']} (package@mlp): dvc.lock has aaaaaaaa" in done.stderr
        assert "different: 1 of 2 outputs" in done.stderr
    finally:
        clone.git("reset", "--quiet", "--hard", "HEAD~1")
