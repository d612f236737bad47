"""Export models and data to folders that hubs and their libraries read.

    python -m fonoteka export-hub [MODEL ...] [--dataset] [--format webdataset] [--out hub]

Reads   data/models, reports; with --dataset data/splits, data/audio, data/corpus/corpora.json
Writes  hub/model/<name> and hub/dataset, which git ignores
Params  hub

All packages and reports are checked before the first folder is written. Each folder is written
beside its place and renamed, so an error leaves the old one or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.git import entered
from fonoteka.hub.export_model import export_model
from fonoteka.hub.hub_folder import is_hub_name, require_replaceable
from fonoteka.hub.model_package import open_packages
from fonoteka.hub.params import HubParams
from fonoteka.hub.scores import read_scores


def run(
    names: Sequence[str], out: Path, *, dataset: bool = False, form: str = "audiofolder",
    data_id: str = "",
) -> None:  # fmt: skip
    """Export models, the data set, or both.

    Args:
        names: of models; all of them if it is empty and `dataset` is not set.
        out: the folder above `model` and `dataset`; a relative path counts from the project.
        dataset: whether to export the data set.
        form: of the data set, `audiofolder` or `webdataset`.
        data_id: name of the data set on a hub, `owner/name`, for the cards of the models.

    Raises:
        UserError: nothing was written, or all folders before the one that the message names.
    """
    from fonoteka.hub.export_dataset import FORMS, export_dataset  # imports soundfile and scipy

    if form not in FORMS:
        raise UserError(f"--format {form!r}: expected one of {', '.join(FORMS)}")
    if data_id and not is_hub_name(data_id):
        raise UserError(
            f"--data-id {data_id!r}: expected owner/name, letters, digits and - _ . only"
        )
    with entered():
        params = load("hub", HubParams)
        models = Path("data/models")
        packages = open_packages(models, names) if names or not dataset else []
        scored = [(model, read_scores(model, Path("reports"))) for model in packages]
        targets = {model.name: out / "model" / model.name for model in packages}
        for target in [*targets.values(), *([out / "dataset"] if dataset else [])]:
            require_replaceable(target)
        for model, scores in scored:
            target = targets[model.name]
            export_model(model, models, scores, params, data_id, target)
            print(f"{target}: {len([*target.iterdir()]) - 1} files, {_mb(target)}", flush=True)
        if dataset:
            export_dataset(out / "dataset", form, params)


def _mb(folder: Path) -> str:
    return f"{sum(path.stat().st_size for path in folder.iterdir()) / 1e6:.1f} MB"
