"""The whole pipeline on the small profile: rebuilt elsewhere, and merged from two branches.

`make test` verifies a sample (test_verify_pipeline.py) and merges a toy (test_resolve_lock.py);
these two take 110 CPU seconds and more.
"""

from __future__ import annotations

import re

import pytest
from clones import GIT, PYTHON, committed
from dvc_yaml import pipeline
from toy import run_dvc

pytestmark = [
    pytest.mark.faults,
    pytest.mark.pipeline,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

STAGES = len(pipeline())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A built clone with its results committed; a test leaves it as it was."""
    return committed(tmp_path_factory, tmp_path_factory.mktemp("verify") / "clone")


def verify(clone, *options):
    return clone.call(*PYTHON, "fonoteka", "verify", *options)


def test_a_rebuild_with_all_changed_that_must_not_matter_gives_the_same_bytes(clone):
    done = verify(clone, "--vary", "surroundings")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{STAGES} stages: {STAGES} ran" in done.stdout
    assert "the same: 0 differences\n" in done.stderr
    everywhere = sum(stage["meta"]["exact"] == "everywhere" for stage in pipeline().values())
    for name, count in (("everywhere", everywhere), ("here", STAGES - everywhere)):
        assert re.search(rf"^exact {name} +{count} +(\d+) +\1 +0  same$", done.stdout, re.M)
    assert re.search(r"^within tolerance +- +(\d+) +\1 +0  same$", done.stdout, re.M)
    assert clone.git("status", "--porcelain")[3:] == "reports/verify.json\n"


def test_two_branches_that_were_built_are_merged_without_building_them_again(clone):
    # `compare_heads` and `compare` are quick, and the second reads what the first writes. Digits
    # change that file and the comparison, which `dashboard` reads; a seed does not, because the
    # interval of two speakers has two values.
    changes = {
        "mine": (
            r"(compare_heads:\n(?:  .*\n)*?  digits: )\d+",
            r"\g<1>3",
            "compare_heads",
            "compare",
            "dashboard",
        ),
        "yours": ("dpi: 110", "dpi: 100", "compare"),
    }
    start = clone.git("rev-parse", "HEAD").strip()
    for branch, (old, new, *stale) in changes.items():
        clone.git("checkout", "--quiet", "-b", branch, start)
        params = clone / "params.yaml"
        text, times = re.subn(old, new, params.read_text(encoding="utf-8"))
        assert times == 1
        params.write_text(text, encoding="utf-8")
        # By plain dvc, of what is stale alone: that this is all of it, the last build below says.
        run_dvc("repro", "-s", *stale, folder=clone.folder, environment=clone.environment)
        clone.git("commit", "--quiet", "--all", "--message", branch)
    clone.git("checkout", "--quiet", "mine")
    assert clone.call(*GIT, "merge", "yours").returncode == 1
    # As text the two lock files fit together, into an entry of `compare` that no build wrote.
    assert "dvc.lock\n" in clone.git("diff", "--name-only", "--diff-filter=U")
    done = clone.call(*PYTHON, "fonoteka", "merge-lock")
    assert done.returncode == 0, done.stdout + done.stderr
    # `compare` reads what both branches changed; everything else is as one of the two built it.
    assert "\nran: compare\n" in done.stdout
    assert "restored from the run-cache: nothing\n" in done.stdout
    clone.git("commit", "--quiet", "--message", "merged")
    assert clone.repro() == f"everything is up to date: {STAGES} stages\n"
    assert clone.git("status", "--porcelain", "--untracked-files=no") == ""
