"""A package without a private name that is used of it is one sentence at import."""

from __future__ import annotations

import re
from importlib.metadata import version
from types import ModuleType, SimpleNamespace

import pytest
from dvc_yaml import TOP, source

from fonoteka.audiocheck import dr_flac, libsndfile
from fonoteka.audiocheck.private_api import require

MODULES = {"miniaudio": dr_flac, "soundfile": libsndfile}


def test_a_missing_name_is_named_with_both_versions():
    module = ModuleType("sound")
    module.lib = SimpleNamespace(open=1)
    require("soundfile", "0.1", module, ["lib", "lib.open"])
    sentence = (
        f"soundfile {version('soundfile')} has no sound.lib.close, a private name that fonoteka "
        "uses; install soundfile==0.1 as in requirements.lock"
    )
    with pytest.raises(ImportError, match=f"^{re.escape(sentence)}$"):
        require("soundfile", "0.1", module, ["lib.open", "lib.close"])


@pytest.mark.parametrize("package", MODULES)
def test_the_version_in_the_sentence_is_the_pinned_one(package):
    lines = (TOP / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert f"{package}=={MODULES[package].PINNED}" in lines


@pytest.mark.parametrize("package", MODULES)
def test_every_private_name_that_a_module_uses_is_checked(package):
    module = MODULES[package]
    text = source(module.__name__).read_text(encoding="utf-8")
    used = set(re.findall(r"_(?:LIBRARY|C)\.(\w+)", text)) | set(re.findall(r"sf\.(_\w+)", text))
    checked = {part for name in module.NAMES for part in name.split(".")}
    assert used <= checked
