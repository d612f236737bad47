"""Write karaoke pages of a few test clips whose licence allows it, and an index of them.

Reads   data/splits/test.jsonl, data/corpus/accepted.csv, data/audio, data/posteriors/<name> of the
        model that places phones
Writes  data/karaoke/index.html, and of each clip <language>-<number>.html and .flac
Params  karaoke

The pages contain speech and its text, so only clips under licences that `params.yaml` lists are
used, and the index states the licence and the source of each. Nothing here names a clip or a
speaker, because ids and names of files can be names of people. The index counts the clips that are
left out, by reason.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.alignment.aligned_text import AlignedText, broken_into_lines
from fonoteka.alignment.aligner import align_text
from fonoteka.alignment.karaoke_page import write_karaoke
from fonoteka.alignment.written_script import in_script
from fonoteka.audio.dsp import Signal, flac_bytes
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, unit_interval, write_text
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.corpus.clip_terms import ClipTerms
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS
from fonoteka.licences import matches_licence
from fonoteka.manifest import Utterance
from fonoteka.scripts import IN_CYRILLIC
from fonoteka.shards import open_arrays, open_clips
from fonoteka.tables import read_table
from fonoteka.text.transliteration import has_cyrillic
from stages.alignment.karaoke_index import PageEntry, index_html

SHORT, NOT_DRAWN, NOT_ALIGNED = "too few words", "not drawn", "no times"


@dataclass(frozen=True)
class KaraokeParams:
    """Section `karaoke`.

    Attributes:
        clips_per_language: that are drawn.
        least_words: of a clip.
        seed: of the draw.
        licences: whole, `*` for any text; clips under others are left out.
    """

    clips_per_language: int
    least_words: int
    seed: int
    licences: tuple[str, ...]


def allowed(licence: str, params: KaraokeParams) -> bool:
    """Return whether clips under a licence may be shown; the case of letters does not count."""
    return matches_licence(licence, params.licences)


def drawn(
    utterances: Sequence[Utterance], terms: dict[str, ClipTerms], params: KaraokeParams
) -> tuple[list[Utterance], Counter[str]]:
    """Return the clips of the pages, and the number of those left out by reason.

    Args:
        utterances: of the test part.
        terms: licence and source by id; a clip without an entry is an error of the pipeline.
        params: how many, and under which licences.
    """
    left_out: Counter[str] = Counter()
    usable: dict[str, list[Utterance]] = {}
    for u in utterances:
        if not allowed(terms[u.id].licence, params):
            left_out[f"licence: {terms[u.id].licence}"] += 1
        elif len(u.normalized.split()) < params.least_words:
            left_out[SHORT] += 1
        else:
            usable.setdefault(u.language, []).append(u)
    chosen = []
    for _, clips in sorted(usable.items()):
        clips.sort(key=lambda u: unit_interval(str(params.seed), u.id))
        chosen += clips[: params.clips_per_language]
        left_out[NOT_DRAWN] += len(clips[params.clips_per_language :])
    return chosen, +left_out


def write_page(
    folder: Path, name: str, u: Utterance, signal: Signal, log_probs: NDArray[np.float32]
) -> AlignedText:
    """Write a clip and its page, and return the clip's text.

    Raises:
        UserError: the text cannot be aligned.
    """
    text = broken_into_lines(align_text(u.text, u.language, signal, log_probs))
    words = " ".join(word.text for word in text.words)
    other = None
    if u.language in IN_CYRILLIC:
        other = in_script(text, "latin" if has_cyrillic(words) else "cyrillic")
    recording = folder / f"{name}.flac"
    recording.write_bytes(flac_bytes(signal))
    write_karaoke(
        text, recording, folder / f"{name}.html", embed=False, title=name, other_script=other
    )
    return text


def run(
    test: Path, accepted: Path, audio: Path, posteriors: Path, out: Path, params: KaraokeParams
) -> None:
    """Write the pages and the index."""
    utterances = [u for u in manifest.read(test) if u.phones]
    ids = {u.id for u in utterances}
    terms = {
        row["id"]: ClipTerms(row["licence"], row["source"])
        for row in read_table(accepted, ACCEPTED_COLUMNS)
        if row["id"] in ids
    }
    chosen, left_out = drawn(utterances, terms, params)
    arrays = open_arrays(posteriors, [u.id for u in chosen]) if chosen else {}
    signals = open_clips(audio, {u.id: u.audio for u in chosen})
    entries: list[PageEntry] = []
    numbers: Counter[str] = Counter()
    with atomic_folder(out) as folder:
        for u in chosen:
            # Numbered, because ids and names of files can be names of people.
            name = f"{u.language}-{numbers[u.language] + 1}"
            try:
                text = write_page(folder, name, u, signals[u.id], arrays[u.id])
            except UserError:
                left_out[NOT_ALIGNED] += 1
                continue
            numbers[u.language] += 1
            spoken_by = "a machine" if u.synthetic else "a person"
            entries.append(PageEntry(name, text, spoken_by, terms[u.id]))
        write_text(folder / "index.html", index_html(entries, left_out))
    print(f"karaoke: {len(entries)} pages; left out: {dict(left_out)}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("test", "accepted", "audio", "posteriors", "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()), params=load("karaoke", KaraokeParams))


if __name__ == "__main__":
    stage(main)
