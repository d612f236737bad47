"""What was fetched: revision, languages, parts, and size and hash of each file.

The record is in the `.dvc` file of the corpus, below `meta`, so that git has it and a colleague's
fetch is compared with it; and in record.json of the downloads, where it also survives a fetch that
was cut. Both are checked from the first fetch on: the same revision has to have the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.corpus_fetch.catalogue import PublicCorpus, PublicFile
from fonoteka.corpus_fetch.file_hashes import FileHashes
from fonoteka.pipeline.yaml_edit import editor

KEY = "fetch"  # below `meta` of a .dvc file, which dvc keeps as it is


@dataclass(frozen=True)
class FetchRecord:
    """The contents of a record.

    Attributes:
        corpus: name in the catalogue.
        revision: that was fetched.
        languages: sorted codes.
        parts: in the order of the catalogue.
        files: by name, `bytes` and `sha256`, or `tree` for an archive that the server packs for
            each request.
    """

    corpus: str
    revision: str
    languages: tuple[str, ...]
    parts: tuple[str, ...]
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def covers(self, other: FetchRecord) -> bool:
        """Return whether another fetch would write the same corpus."""
        return (self.corpus, self.revision, self.languages, self.parts) == (
            other.corpus, other.revision, other.languages, other.parts,
        )  # fmt: skip


def record_of(corpus: PublicCorpus, languages: Sequence[str], parts: Sequence[str]) -> FetchRecord:
    """Return the record of a fetch that has no file yet."""
    return FetchRecord(corpus.name, corpus.revision, tuple(sorted(languages)), tuple(parts))


def entry_of(file: PublicFile, hashes: FileHashes) -> dict[str, Any]:
    """Return what a record keeps of a file."""
    if file.tree is not None:
        return {"tree": file.tree.sha1}
    return {"bytes": hashes.bytes, "sha256": hashes.sha256}


def with_recorded(file: PublicFile, entry: Mapping[str, Any], place: str) -> PublicFile:
    """Return a file with the size and the hash of a record.

    Raises:
        UserError: the catalogue or the server states others.
    """
    for name in ("bytes", "sha256"):
        expected = getattr(file, name)
        if expected and name in entry and entry[name] != expected:
            raise UserError(
                f"{place}: has {name} {entry[name]} of {file.name}, but the server, the catalogue "
                f"or the archive has {expected} at the same revision; the file was replaced, so "
                f"nothing was fetched: remove {place} to accept the new one"
            )
    return replace(file, **{name: entry[name] for name in ("bytes", "sha256") if name in entry})


def read_record(path: Path) -> FetchRecord | None:
    """Return the record in a record.json or in a `.dvc` file, or None without a record.

    Raises:
        UserError: the file cannot be read, or its record has another form.
    """
    if not path.is_file():
        return None
    if path.suffix == ".json":
        value = read_json(path)
    else:
        text = path.read_text(encoding="utf-8")
        try:
            document = editor(text).load(text)
        except YAMLError as error:
            raise UserError(f"{path}: not valid YAML: {error}") from error
        value = ((document or {}).get("meta") or {}).get(KEY)
        if value is None:
            return None
    try:
        files = {str(name): dict(entry) for name, entry in value["files"].items()}
        return FetchRecord(
            str(value["corpus"]), str(value["revision"]), tuple(map(str, value["languages"])),
            tuple(map(str, value["parts"])), files,
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"{path}: the record of the fetch is not valid ({error}); restore the file from git"
        ) from error


def write_record(path: Path, record: FetchRecord) -> None:
    """Write a record.json."""
    write_json(path, asdict(record))


def write_to_pointer(pointer: Path, record: FetchRecord) -> None:
    """Write a record into a `.dvc` file, and keep everything else of it."""
    text = pointer.read_text(encoding="utf-8")
    yaml = editor(text)
    document = yaml.load(text)
    value = asdict(record) | {"languages": [*record.languages], "parts": [*record.parts]}
    document.setdefault("meta", {})[KEY] = value
    out = io.StringIO()
    yaml.dump(document, out)
    write_text(pointer, out.getvalue())
