"""Call dvc's API in this process: configuration, locks, remotes, YAML and the graph of stages.

This is the one module that imports dvc, apart from `runner/dvc_child.py`, which runs as dvc itself,
because its API is private and a new version of dvc may change it. The imports are inside functions
because dvc takes 0.5 s to load, and commands that find nothing to do need none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError


class ConfigRefusedError(UserError):
    """dvc refuses a configuration."""


class IncompleteCheckoutError(Exception):
    """Outputs could not be checked out because files are missing."""


def top() -> Path:
    """Return the top of the repository around the current folder.

    Raises:
        UserError: there is none.
    """
    from dvc.repo import Repo

    with dvc_errors_as_user_error():
        return Path(Repo.find_root())


@contextmanager
def open_repo(root: Path | None = None) -> Iterator[Any]:
    """Open the dvc repository at `root`, or around the current folder.

    Raises:
        UserError: there is none, or dvc raises one of its own errors inside the block.
    """
    from dvc.repo import Repo

    with dvc_errors_as_user_error(), Repo(root and str(root), _wait_for_lock=True) as repo:
        yield repo


@contextmanager
def locked_repo(root: Path) -> Iterator[Any]:
    """Open the dvc repository at `root`, and hold dvc's lock inside the block.

    Raises:
        UserError: as `open_repo`.
    """
    from dvc.repo import lock_repo

    with open_repo(root) as repo, lock_repo(repo):
        yield repo


def read_config(root: Path, level: str | None = None) -> dict[str, Any]:
    """Return dvc's configuration, or that of one file: `repo` is the one in git, or `local`.

    Raises:
        UserError: dvc refuses the configuration.
    """
    from dvc.config import Config

    with dvc_errors_as_user_error():
        config = Config(str(root / ".dvc"))
        return dict(config.load_one(level) if level else config)


@contextmanager
def edit_config(root: Path, level: str) -> Iterator[dict[str, Any]]:
    """Change one file of dvc's configuration, `repo` or `local`.

    Raises:
        ConfigRefusedError: dvc refuses the new configuration.
    """
    from dvc.config import Config, ConfigError

    try:
        with Config(str(root / ".dvc")).edit(level) as config:
            yield config
    except ConfigError as error:
        raise ConfigRefusedError(" ".join(str(error).split())) from error


def pull_outputs(repo: Any, paths: Sequence[str], remote: str) -> int:
    """Fetch outputs from a remote, check them out, and return the number of fetched files.

    Raises:
        IncompleteCheckoutError: the remote lacks some of the files.
    """
    from dvc.exceptions import CheckoutError

    try:
        return int(repo.pull(targets=list(paths), remote=remote)["stats"]["fetched"])
    except CheckoutError as error:
        raise IncompleteCheckoutError(" ".join(str(error).split())) from error


def pull_runs(repo: Any, remote: str) -> int | None:
    """Fetch the run-cache and return its number of runs; None if the remote cannot list files."""
    from dvc.stage.cache import RunCacheNotSupported

    try:
        return len(repo.stage_cache.pull(remote))
    except RunCacheNotSupported:
        return None


def clear_remote_index(odb: Any) -> None:
    """Let dvc ask a remote again which files it has, which dvc stores per folder."""
    from dvc_data.hashfile.db import get_index

    get_index(odb).clear()


def quiet() -> None:
    """Let dvc log errors only: frozen stages are counted, not warned about."""
    logging.getLogger("dvc").setLevel(logging.ERROR)


def is_pipeline_stage(stage: Any) -> bool:
    """Return whether a stage is one of `dvc.yaml` and not data that `dvc add` tracks."""
    from dvc.stage import PipelineStage

    return isinstance(stage, PipelineStage)


def is_params(dep: Any) -> bool:
    """Return whether a dependency is on params and not on a file."""
    from dvc.dependency import ParamsDependency

    return isinstance(dep, ParamsDependency)


def parse_yaml(text: str, name: str, *, for_update: bool = False) -> Any:
    """Return the contents of a YAML file of dvc, with its comments if it is read for an update.

    Raises:
        UserError: the text is not valid YAML; `name` is the file in the message.
    """
    from dvc.utils import serialize

    with dvc_errors_as_user_error():
        return (serialize.parse_yaml_for_update if for_update else serialize.parse_yaml)(text, name)


def dump_yaml(document: Any) -> str:
    """Return a document as YAML, laid out as dvc does."""
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml(document))


def is_valid_lock(document: Mapping[str, Any]) -> bool:
    """Return whether dvc accepts a document as a lock file."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import MultipleInvalid

    try:
        COMPILED_LOCKFILE_SCHEMA(document)
    except MultipleInvalid:
        return False
    return True


@contextmanager
def dvc_errors_as_user_error() -> Iterator[None]:
    """Raise dvc's own errors, which are mistakes of the user, as a UserError of one sentence."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from error


def active_graph(repo: Any) -> Any:
    """Return the graph of all stages, in which a frozen stage does not need what it once read."""
    from dvc.repo.reproduce import get_active_graph

    return get_active_graph(repo.index.graph)


def declared_artifacts(repo: Any) -> dict[str, Any]:
    """Return the artifacts that the `dvc.yaml` at the top declares, by name.

    Each has `path`, `type`, `desc` and `labels`; those that are not declared are None or empty.
    """
    return dict(repo.artifacts.read().get("dvc.yaml") or {})


def missing_objects(repo: Any, remote: str, oids: Iterable[str]) -> list[str]:
    """Return the objects that a remote lacks, sorted."""
    odb, wanted = repo.cloud.get_remote_odb(remote, "pull"), sorted(set(oids))
    return sorted(set(wanted) - set(odb.oids_exist(wanted)))
