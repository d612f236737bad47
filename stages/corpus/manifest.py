"""Join transcripts, columns of the corpora and prepared audio into the manifest.

    python -m stages.corpus.manifest data/corpus/accepted.csv data/corpus/transcripts.jsonl \
        data/audio data/corpus/manifest.jsonl

Reads   accepted.csv, transcripts.jsonl, data/audio/index.csv
Writes  manifest.jsonl: one utterance per line, sorted by id

Phone times move by the time that was trimmed from the start of a clip. From here on `audio`,
`duration_s` and times are those of the prepared clip; earlier stages use those of the recording.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import stage
from fonoteka.corpus.corpus import ACCEPTED_COLUMNS, INDEX_COLUMNS
from fonoteka.manifest import Transcript, Utterance, read_transcripts, write
from fonoteka.tables import Row, read_table


def join(
    clips: Mapping[str, Row], transcripts: Mapping[str, Transcript], index: Iterable[Row]
) -> list[Utterance]:
    """Return the utterances whose text was spelled and whose audio was prepared.

    Args:
        clips: rows of accepted.csv, by id.
        transcripts: by id.
        index: rows of the index of the prepared audio.

    A clip of the index without a transcript is one whose text was refused; the audit counts it, and
    those that were dropped in preprocessing.
    """
    return [
        utterance(clips[row["id"]], transcripts[row["id"]], row)
        for row in index
        if not row["problem"] and row["id"] in transcripts
    ]


def utterance(clip: Row, transcript: Transcript, index: Row) -> Utterance:
    """Return one utterance; its times are cut at the begin and the end of the prepared clip."""
    duration_s, offset_s = float(index["duration_s"]), float(index["offset_s"])
    # The corpus timed the recording; the prepared clip begins `offset_s` later.
    times = transcript.phone_times_s
    if times is not None:
        times = tuple(
            (_moved(start, offset_s, duration_s), _moved(end, offset_s, duration_s))
            for start, end in times
        )
    return Utterance(
        id=clip["id"],
        audio=index["audio"],
        speaker=clip["speaker"],
        language=transcript.language,
        text=clip["text"],
        normalized=transcript.normalized,
        phones=transcript.phones,
        duration_s=duration_s,
        source=clip["corpus"],
        licence=clip["licence"],
        synthetic=clip["synthetic"] == "true",
        phone_times_s=times,
        session=clip["session"] or None,
        parent=clip["parent"] or None,
        group=clip["group"] or None,
        sex=clip["sex"] or None,
    )


def _moved(seconds: float, offset_s: float, duration_s: float) -> float:
    return round(min(max(seconds - offset_s, 0.0), duration_s), 6)


def run(accepted: Path, transcripts: Path, audio: Path, out: Path) -> None:
    """Write the manifest.

    Raises:
        UserError: no clip has both a transcript and prepared audio.
    """
    clips = {row["id"]: row for row in read_table(accepted, ACCEPTED_COLUMNS)}
    spelled = read_transcripts(transcripts)
    utterances = join(clips, spelled, read_table(audio / "index.csv", INDEX_COLUMNS))
    if not utterances:
        raise UserError(
            f"manifest: none of {len(spelled)} transcripts has prepared audio; see the column "
            f"problem of {audio / 'index.csv'}"
        )
    write(out, utterances)
    dropped = len(spelled) - len(utterances)
    print(f"manifest: {len(utterances)} utterances; {dropped} dropped in preprocessing")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "transcripts", "audio", "out"):
        parser.add_argument(name, type=Path)
    run(**vars(parser.parse_args()))


if __name__ == "__main__":
    stage(main)
