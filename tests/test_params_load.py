"""Every stage loads its sections of params.yaml, and of each profile laid over it."""

import importlib

import pytest
import yaml
from dvc_yaml import TOP, closure, head_of, loads, module_of, pipeline

from fonoteka.core import params
from fonoteka.pipeline import overrides

# It trains nothing, but it imports every stage, torch and transformers included: 15 CPU seconds.
pytestmark = pytest.mark.torch

OVERLAYS = [None, *sorted(path.stem for path in overrides.PROFILES.glob("*"))]


@pytest.fixture(scope="module")
def loaded():
    """Return each section with the dataclass that a stage loads it into, once per pair."""
    pairs = {}
    for stage in sorted(pipeline()):
        module = module_of(stage)
        for section, name in loads(module, head_of(stage)):
            if (section, name) not in pairs:
                holders = map(importlib.import_module, sorted(closure(module)))
                pairs[section, name] = next(h for h in holders if hasattr(h, name))
    return {(section, getattr(holder, name)) for (section, name), holder in pairs.items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_params_and_profiles_load_in_every_stage(overlay, loaded, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes((TOP / "params.yaml").read_bytes())
    if overlay:
        overrides.apply_profile(overrides.find(overlay), path)
    assert {section for section, _ in loaded} >= {"compute", "split", "mlp", "train_realtime"}
    document = yaml.safe_load(path.read_text(encoding="utf-8"))  # as `load` does for each section
    for section, dataclass in loaded:
        params.build(document[section], dataclass, section)
