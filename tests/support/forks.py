"""Clones whose Python commands run in forked copies of this process.

`python -m fonoteka push` spends 2 s of CPU on imports, and 3 s if it loads a
client of S3; a forked child runs the same module as `__main__` after 20 ms.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

from clones import Clone
from toy import forked

# Modules that dvc imports inside functions; otherwise each child spends 0.4 s on them.
DVC = (
    "configobj.validate", "dvc._debug", "dvc.cachemgr", "dvc.cli.parser", "dvc.data_cloud",
    "dvc.dirs", "dvc.dvcfile", "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.experiments",
    "dvc.repo.graph", "dvc.repo.index", "dvc.repo.metrics.show", "dvc.repo.open_repo",
    "dvc.repo.params.show", "dvc.repo.plots", "dvc.repo.reproduce", "dvc.repo.stage",
    "dvc.repo.status", "dvc.repo.trie", "dvc.repo.worktree", "dvc.rwlock", "dvc.scm",
    "dvc.utils.strictyaml", "dvc_data.fs", "dvc_data.hashfile.db.index",
    "dvc_data.hashfile.db.local", "dvc_data.hashfile.status", "dvc_data.index.checkout",
    "dvc_data.index.fetch", "dvc_data.index.push", "dvc_render.vega",
    "dvc_studio_client.model_registry", "fsspec.implementations.local", "gto.base", "gto.tag",
    "networkx", "psutil", "pygit2", "requests", "rich.progress", "scmrepo.fs", "scmrepo.git.lfs",
)  # fmt: skip
# The same for the first use of a remote, by the names in `servers`.
CLIENTS = {
    "folder": (),
    "http": ("dvc_http", "aiohttp", "aiohttp_retry", "fsspec.implementations.http"),
    "s3": ("dvc_s3", "s3fs", "aiobotocore.session", "boto3"),
    "sftp": ("dvc_ssh", "sshfs", "asyncssh"),
    "sshd": ("dvc_ssh", "sshfs", "asyncssh"),
    "webdav": ("dvc_webdav", "webdav4.fsspec"),
}
SILENT = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class ForkedClone(Clone):
    """A clone whose Python commands are forks of this process; git and other commands are not."""

    def call(self, *command: str) -> subprocess.CompletedProcess:
        """Run a command and return its output and exit code."""
        if command[0] != sys.executable:
            return super().call(*command)
        return python(*command[1:], folder=self.folder, environment=self.environment)


def python(
    option: str, program: str, *arguments: str, folder: Path | str = ".", environment=None
) -> subprocess.CompletedProcess:
    """Run `python -m module` or `python -c code` in a folder, in a forked child."""
    imported(*DVC)

    def main() -> None:
        _as_new()
        sys.argv = [program, *arguments]
        if option == "-m":
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            assert option == "-c", option
            exec(program, {"__name__": "__main__"})

    return forked(main, folder=folder, environment=environment)


def imported(*modules: str) -> None:
    """Import modules once in this process, for all children, without their warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            import_module(name)


def _as_new() -> None:
    """Give this child the warning filters of a new interpreter; `forked` resets the rest."""
    warnings.resetwarnings()
    for category in SILENT:
        warnings.simplefilter("ignore", category)
    warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning, "runpy")
