"""The catalogue of public corpora: where they are, at which revision, under which licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.formats.yaml_file import read_yaml
from fonoteka.phones import LANGUAGES

CATALOGUE = Path(__file__).with_name("public") / "corpora.yaml"
SHAPES = ("commonvoice", "fleurs", "fsdd", "librispeech", "parlaspeech")


@dataclass(frozen=True)
class GitTree:
    """A folder inside an archive, and the hash that git has of it.

    Attributes:
        folder: its path below the only folder at the top of the archive.
        sha1: of git's tree object.
    """

    folder: str
    sha1: str


@dataclass(frozen=True)
class PublicFile:
    """One file of a corpus, with what is known of it before it is fetched.

    Attributes:
        name: its path below the address of the corpus, which is also its path in the downloads.
        part: the part that it belongs to; empty if it belongs to all.
        bytes: its size; None if unknown.
        sha256: of its bytes, in hexadecimal; empty if unknown.
        md5: the same.
        blob: the hash that git has of it, which a hub states for small files; empty if unknown.
        tree: a folder in it whose content is known, although the archive's bytes are not.
        about_mb: an approximate size in 10^6 bytes, which is only shown; 0 if unknown.
    """

    name: str
    part: str = ""
    bytes: int | None = None
    sha256: str = ""
    md5: str = ""
    blob: str = ""
    tree: GitTree | None = None
    about_mb: float = 0.0


@dataclass(frozen=True)
class PublicCorpus:
    """An entry of the catalogue.

    Attributes:
        name: of the entry, and of the corpus's folder.
        title: one line about it.
        page: address of the page that describes it.
        licence: of the recordings.
        citation: what its authors ask to be cited.
        shape: how its files are arranged, one of `SHAPES`.
        languages: our code of a language to the corpus's.
        parts: the corpus's own parts.
        default_parts: those that are fetched if the user names none.
        files: its files; names may contain {language} and {part}.
        speakers: what a speaker is in this corpus.
        hub: `owner/name` of the data set on a model hub; empty if it is elsewhere.
        base: address that the files are below; empty for a hub.
        archive: why the user must have downloaded the archive; empty if it can be fetched.
        revision: commit of the hub, or the name of the release.
        unpacked: bytes of the recordings per byte of the download.
        folder_per_part: whether each part becomes a corpus of its own.
        unverified: facts of this entry that were not compared with their source.
    """

    name: str
    title: str
    page: str
    licence: str
    citation: str
    shape: str
    languages: Mapping[str, str]
    parts: tuple[str, ...]
    default_parts: tuple[str, ...]
    files: tuple[PublicFile, ...]
    speakers: str
    hub: str = ""
    base: str = ""
    archive: str = ""
    revision: str = ""
    unpacked: float = 1.0
    folder_per_part: bool = False
    unverified: tuple[str, ...] = field(default=())

    @property
    def origin(self) -> str:
        """Where the corpus comes from, with its revision, in one line.

        >>> read_catalogue()["librispeech"].origin
        'https://www.openslr.org/12, OpenSLR 12'
        """
        return f"{self.page}, {self.revision}" if self.revision else self.page


def read_catalogue(path: Path = CATALOGUE) -> dict[str, PublicCorpus]:
    """Return the corpora of a catalogue by name.

    Raises:
        UserError: the file is missing or not YAML, or an entry has an unknown key, lacks one, or
            names an unknown shape or language.
    """
    try:
        entries = read_yaml(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(entries, dict) or not all(isinstance(e, dict) for e in entries.values()):
        raise UserError(f"{path}: expected a mapping of names to corpora")
    return {name: _corpus(f"{path}: {name}", name, entry) for name, entry in entries.items()}


def find_corpus(name: str, path: Path = CATALOGUE) -> PublicCorpus:
    """Return a corpus of a catalogue.

    Raises:
        UserError: as `read_catalogue`, or the catalogue does not have the name.
    """
    corpora = read_catalogue(path)
    if name not in corpora:
        raise UserError(f"{name!r} is not in the catalogue; expected one of {sorted(corpora)}")
    return corpora[name]


def _corpus(place: str, name: str, entry: dict[str, Any]) -> PublicCorpus:
    """Return an entry, with the lists of YAML as tuples."""
    parts = tuple(entry.get("parts", ()))
    values = entry | {
        "name": name, "parts": parts,
        "default_parts": tuple(entry.get("default_parts", parts)),
        "files": tuple(_file(place, file) for file in entry.get("files", ())),
        "unverified": tuple(entry.get("unverified", ())),
    }  # fmt: skip
    _check_keys(place, values, PublicCorpus)
    corpus = PublicCorpus(**values)
    if corpus.shape not in SHAPES:
        raise UserError(f"{place}: shape {corpus.shape!r} is unknown; expected one of {SHAPES}")
    if unknown := sorted(set(corpus.languages) - set(LANGUAGES)):
        raise UserError(f"{place}: languages {unknown} are unknown; expected {list(LANGUAGES)}")
    if sum(map(bool, (corpus.hub, corpus.base, corpus.archive))) != 1:
        raise UserError(f"{place}: exactly one of hub, base and archive says where it is")
    if strange := set(corpus.default_parts) - set(parts):
        raise UserError(f"{place}: default_parts has {sorted(strange)}, which parts does not have")
    return corpus


def _file(place: str, entry: dict[str, Any]) -> PublicFile:
    _check_keys(f"{place}: files", entry, PublicFile)
    for name in ("sha256", "md5"):
        if not isinstance(entry.get(name, ""), str):  # YAML reads 0e1 and 10 as numbers
            raise UserError(f"{place}: files: {name} {entry[name]} is a number; put it in quotes")
    tree = entry.get("tree")
    return PublicFile(**entry | ({"tree": GitTree(**tree)} if tree else {}))


def _check_keys(
    place: str, entry: Mapping[str, Any], kind: type[PublicFile | PublicCorpus]
) -> None:
    """Refuse unknown and missing keys, by name."""
    allowed = {each.name: each for each in fields(kind)}
    unknown = sorted(set(entry) - set(allowed))
    optional = {name for name in allowed if hasattr(kind, name)} | {"unverified"}
    missing = sorted(set(allowed) - optional - set(entry))
    if unknown or missing:
        raise UserError(f"{place}: missing {missing}, unknown {unknown}")


def chosen_files(
    corpus: PublicCorpus, languages: Sequence[str], parts: Sequence[str]
) -> list[PublicFile]:
    """Return the files of some languages and parts, each once, in the order of the catalogue."""
    chosen: dict[str, PublicFile] = {}
    for file in corpus.files:
        for language in languages:
            for part in parts:
                if file.part and file.part != part:
                    continue
                name = file.name.format(language=corpus.languages[language], part=part)
                own = part if "{part}" in file.name else file.part
                values = {each.name: getattr(file, each.name) for each in fields(file)}
                chosen.setdefault(name, PublicFile(**values | {"name": name, "part": own}))
    return list(chosen.values())


def checked_choice(
    name: str, kind: str, chosen: Sequence[str], existing: Sequence[str], default: Sequence[str]
) -> tuple[str, ...]:
    """Return the languages or the parts that the user named, or the default ones.

    Raises:
        UserError: the corpus does not have one of them.
    """
    if unknown := sorted(set(chosen) - set(existing)):
        raise UserError(f"{name} has no {kind} {unknown[0]!r}; expected one of {list(existing)}")
    return tuple(each for each in existing if each in chosen) if chosen else tuple(default)
