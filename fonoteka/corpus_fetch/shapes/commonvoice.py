"""Common Voice: the archive of one language, which the user has downloaded.

Source: the data sheets of Common Voice: cv-corpus-VERSION-DATE/LANGUAGE/clips and *.tsv.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.layouts.base import ImportOptions
from fonoteka.corpus_fetch.archives import extract
from fonoteka.corpus_fetch.shapes.arranged import ArrangedFolder, FetchedFiles

CLIPS = "clips"


def arrange(fetched: FetchedFiles, out: Path) -> ArrangedFolder:
    """Write the clips and the table of one part.

    Raises:
        UserError: the archive cannot be read, is of another language, or lacks the part's table.
    """
    (archive,) = fetched.paths.values()
    (language,), (part,) = fetched.languages, fetched.parts
    code, table = fetched.corpus.languages[language], f"{part}.tsv"
    # The archive is read once, from its start; its folders state the release and the language.
    seen: set[str] = set()
    releases: set[str] = set()

    def keep(name: PurePosixPath) -> str | None:
        wanted = name.name == table or name.parent.name == CLIPS
        above = name.parts[: -2 if name.parent.name == CLIPS else -1]
        if not wanted or not above:
            return None
        seen.add(above[-1])
        if above[-1] != code:
            return None
        releases.update(above[-2:-1])
        return f"{CLIPS}/{name.name}" if name.parent.name == CLIPS else table

    extract([archive], out, keep)
    if not (out / table).is_file():
        languages = f"; it has the languages {sorted(seen)}" if seen - {code} else ""
        raise UserError(f"{archive}: contains no {code}/{table}{languages}")
    options = ImportOptions(
        layout="commonvoice", tables=(Path(table),), shared={"language": language}
    )
    return ArrangedFolder(options, release=", ".join(sorted(releases)))
