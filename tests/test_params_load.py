"""Every stage loads its sections of params.yaml, and of each profile laid over it."""

import importlib

import pytest
from imports import TOP, closure, loads, module_of, name_of, pipeline

from stages.common import params
from stages.tools import profile

# It trains nothing, but it imports every stage, torch and transformers included: 15 CPU seconds.
pytestmark = pytest.mark.torch

OVERLAYS = [None, *sorted(path.stem for path in profile.PROFILES.glob("*"))]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_params_and_profiles_load_in_every_stage(overlay, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes((TOP / "params.yaml").read_bytes())
    if overlay:
        profile.lay_over(profile.find(overlay), path)
    for stage in sorted(pipeline()):
        for section, name in loads(module_of(stage), name_of(stage)):
            holder = next(
                module
                for module in map(importlib.import_module, sorted(closure(module_of(stage))))
                if hasattr(module, name)
            )
            params.load(section, getattr(holder, name), path)
