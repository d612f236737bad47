"""A command imports a heavy package at its start only if the package is listed for it here.

Every start of a stage or a tool pays for what its modules import at their top, and so does every
test of them. The imports are read from the source; nothing is imported.
"""

from __future__ import annotations

import ast

from dvc_yaml import at_start, commands, loaded_at_start, module_of, pipeline, program

CPU_SECONDS = {
    "dvc": 0.8, "dvclive": 1.0, "matplotlib": 1.2, "onnxruntime": 0.1, "pandas": 0.8,
    "scipy": 1.8, "sklearn": 1.0, "torch": 3.6, "torchaudio": 0.1, "transformers": 7.0,
}  # fmt: skip
"""What an import takes; of packages that import torch, without torch."""

LOADS = {
    "stages.corpus.audit": {"matplotlib"},
    "stages.corpus.preprocess": {"scipy"},
    "stages.corpus.speaker_encoder": {"torch", "torchaudio"},
    "stages.evaluation.compare": {"matplotlib"},
    "stages.evaluation.ensemble": {"pandas"},
    "stages.evaluation.evaluate": {"matplotlib", "pandas"},
    "stages.evaluation.posteriors": {"onnxruntime"},
    "stages.realtime.evaluate_realtime": {"onnxruntime", "pandas"},
    "stages.evaluation.compare_heads": {"torch"},
    "stages.realtime.package_realtime": {"onnxruntime", "pandas"},
    "stages.export.onnx_ensemble": {"onnxruntime", "torch", "transformers"},
    "stages.export.onnx": {"onnxruntime", "torch", "transformers"},
    "stages.realtime.export_realtime": {"onnxruntime", "pandas", "torch"},
    "fonoteka.alignment.align_recording": {"onnxruntime"},
    "stages.alignment.align": {"torch", "torchaudio"},
    "stages.alignment.check_alignment": {"onnxruntime", "torch", "torchaudio"},
    "stages.features.encoder": {"scipy", "sklearn", "torch", "torchaudio", "transformers"},
    "stages.features.embed": {"scipy", "torch", "transformers"},
    "stages.realtime.realtime_features": {"scipy"},
    "stages.realtime.train_realtime": {"torch"},
    "stages.streaming.evaluate_streaming": {"matplotlib", "onnxruntime"},
    "stages.streaming.export_stream": {"onnxruntime", "torch", "transformers"},
    "stages.streaming.train_stream": {"onnxruntime", "scipy", "torch", "transformers"},
    "stages.training.train": {"torch"},
    "stages.features.whisper_encoder": {"transformers"},
    "stages.words.train_whisper": {"torch", "transformers"},
    "stages.words.export_whisper": {"onnxruntime", "torch", "transformers"},
    "stages.words.evaluate_whisper": {"onnxruntime", "torch", "transformers"},
    "fonoteka.bench.alignment.compare": {"onnxruntime"},
    "fonoteka.bench.scale.command": {"scipy"},
    "fonoteka.bench.scale.curve": {"scipy"},
    "fonoteka.bench.scale.project": {"scipy"},
    "fonoteka.bench.scale.training": {"scipy"},
    "fonoteka.bench.scale.workers": {"scipy"},
    "fonoteka.self_training.simulation": {"onnxruntime"},
    "fonoteka.self_training.whisper_corpus": {"onnxruntime"},
    "fonoteka.sweep.held_out": {"torch"},
    "fonoteka.bench.alignment.digits": {"onnxruntime"},
    "fonoteka.bench.augmentation.command": {"onnxruntime", "scipy", "torch", "transformers"},
    "fonoteka.bench.augmentation.recipe_comparison": {
        "onnxruntime",
        "scipy",
        "torch",
        "transformers",
    },
    "fonoteka.bench.command": {"onnxruntime"},
    "fonoteka.bench.host.host_bench": {"onnxruntime"},
    "fonoteka.bench.realtime": {"onnxruntime"},
    "fonoteka.bench.service.command": {"onnxruntime"},
    "fonoteka.bench.service.direct": {"onnxruntime"},
    "fonoteka.bench.selection.clips": {"onnxruntime"},
    "fonoteka.bench.selection.command": {"matplotlib", "onnxruntime", "torch"},
    "fonoteka.bench.selection.learner": {"onnxruntime", "torch"},
    "fonoteka.bench.selection.report": {"matplotlib", "onnxruntime", "torch"},
    "fonoteka.bench.selection.simulate": {"onnxruntime", "torch"},
    "fonoteka.bench.small_heads.ctc_step": {"torch"},
    "fonoteka.bench.synthetic_clips": {"scipy"},
    "fonoteka.bench.degradations": {"scipy"},
    "fonoteka.bench.corpus": {"scipy"},
    "fonoteka.bench.duplicates": {"scipy"},
    "fonoteka.bench.corpus_speed": {"scipy"},
    "fonoteka.hub.loader": {"onnxruntime"},
    "fonoteka.realtime.bundle_check": {"onnxruntime"},
    "fonoteka.realtime.feature_file": {"onnxruntime"},
    "fonoteka.realtime.model_check": {"onnxruntime"},
    "fonoteka.selection.predict": {"onnxruntime"},
    "fonoteka.selection.select": {"onnxruntime"},
    "fonoteka.transcribe_words": {"onnxruntime"},
    "fonoteka.whisper.model_folder": {"onnxruntime"},
    "fonoteka.pseudo_labels": {"onnxruntime"},
    **{
        f"fonoteka.service.work.compute.{name}": {"onnxruntime"}
        for name in (
            "align_job",
            "batch_work",
            "live_work",
            "loaded_models",
            "noting_gate",
            "phones_job",
            "shared_sessions",
            "stream_models",
            "words_job",
        )
    },
}  # every other stage and tool loads none of these packages
COMMANDS = sorted(
    {module_of(stage).removesuffix(".__main__") for stage in pipeline()} | {*commands()}
)


def heavy(module: str) -> dict[str, str]:
    """Return the heavy packages that are loaded with a module, each with the way to its import."""
    return {
        name: way for name, way in loaded_at_start(program(module)).items() if name in CPU_SECONDS
    }


def test_a_command_loads_the_heavy_packages_it_is_listed_with_and_no_other():
    problems = []
    for module in COMMANDS:
        ways, listed = heavy(module), LOADS.get(module, set())
        problems += [
            f"{module} loads {name}, {CPU_SECONDS[name]} CPU seconds, at its start by {way}: "
            "import it in the function that needs it, or list it"
            for name, way in ways.items()
            if name not in listed
        ]
        problems += [
            f"{module} does not load {name} at its start: take it off the list"
            for name in sorted(listed - {*ways})
        ]
    assert not problems, "\n".join(problems)


def test_every_module_that_is_listed_is_a_command():
    assert set(LOADS) <= set(COMMANDS)


def test_an_import_counts_wherever_it_runs_when_the_module_is_imported():
    text = """
import torch.nn as nn
from scipy import signal
if TYPE_CHECKING:
    import pandas
else:
    import onnxruntime
try:
    import sklearn
except ImportError:
    import matplotlib
with open("x"):
    import dvc
class Late:
    import torchaudio
    def method(self):
        import transformers
def later():
    import dvclive
"""
    assert [*at_start(ast.parse(text).body)] == [
        "torch.nn", "scipy.signal", "onnxruntime", "sklearn", "matplotlib", "dvc", "torchaudio",
    ]  # fmt: skip


def test_the_way_to_a_heavy_import_is_named():
    assert heavy("stages.export.onnx")["transformers"].endswith(" > fonoteka.models.encoders")
    assert heavy("fonoteka.models.encoders")["torch"] == "fonoteka.models.encoders"
