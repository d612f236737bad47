"""The card of the data set: splits, corpora, licences, what was left out, privacy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from huggingface_hub import DatasetCardData

from fonoteka.corpus.corpus import Card
from fonoteka.hub.clip_selection import ClipSelection, PublishedClip, licence_id
from fonoteka.hub.params import HubParams
from fonoteka.manifest import PARTS
from fonoteka.reporting.markdown import plain, table

OTHER = "other"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MOST = "1M<n<10M"
_FIELDS = (
    ("text", "as in the corpus"),
    ("normalized", "canonical Latin text, numbers as words"),
    ("phones", "symbols of the inventory, separated by spaces"),
    ("language", "`bs`, `en`, `hr` or `sr`"),
    ("speaker", "`corpus/name` of a synthetic voice, or `corpus/speaker NNN` for a person"),
    ("seconds", "length of the clip"),
    ("licence", "of the clip, in the words of its owner"),
    ("source", "name of the corpus"),
    ("synthetic", "whether the speech is synthetic"),
)
_LOAD = """\
```python
from datasets import Audio, load_dataset

data = load_dataset("{form}", data_dir="FOLDER")
data = data.cast_column("{column}", Audio(decode=False))  # bytes; torchcodec decodes otherwise
```

The split `valid` is named `validation` by `datasets`.
"""
_MADE = """\
Clips are one channel at 16 kHz and 16 bits, in FLAC. Silence at the ends was removed and the level
was set to one value, so a clip is an adaptation of its recording. Recordings that cannot be read
and near duplicates are not in the data. Phones were derived from the texts unless the corpus has
them. No speaker is in two splits.
"""
_PRIVACY = """\
People are named by pseudonyms, and files by numbers, because file names often contain names. A
pseudonym does not hide a voice: people who know a speaker may recognise it. Do not try to identify
speakers. To have a recording removed, write to the owner of this repository.
"""


def dataset_card(
    selection: ClipSelection, cards: Mapping[str, Card], form: str, params: HubParams
) -> str:
    """Return the card, front matter first.

    Args:
        selection: the clips that are written, and those that are not.
        cards: of the corpora by name.
        form: of the folder, `audiofolder` or `webdataset`.
        params: with the names of licences on a hub.
    """
    # datasets names the column of an AudioFolder, and in shards the suffix is the column.
    column = "audio" if form == "audiofolder" else "flac"
    return "\n".join(
        [
            f"---\n{_card_data(selection, params).to_yaml()}\n---\n",
            f"# {plain(params.title)}\n",
            _summary(selection),
            "## Load\n",
            _LOAD.format(form=form, column=column),
            "## Splits\n",
            _splits_table(selection),
            "\n## Corpora\n",
            _corpora_table(selection, cards),
            "\n## Left out\n",
            *_left_out(selection),
            "\n## Fields\n",
            table(["field", "contents"], [[f"`{n}`", text] for n, text in _FIELDS], left=(0, 1)),
            "\n## How the data were made\n",
            _MADE,
            "## Privacy\n",
            _PRIVACY,
            "## Licence\n",
            "Each clip has its own licence in the field `licence`. Name the corpus and its source "
            "if the licence requires it; the table of corpora has both.",
        ]
    )


def _card_data(selection: ClipSelection, params: HubParams) -> DatasetCardData:
    licences = {clip.utterance.licence for clip in selection.clips}
    ids = sorted({licence_id(licence, params.licence_ids) or OTHER for licence in licences})
    count = len(selection.clips)
    synthetic = {clip.utterance.synthetic for clip in selection.clips}
    return DatasetCardData(
        pretty_name=params.title,
        language=sorted({clip.utterance.language for clip in selection.clips}),
        license=ids[0] if len(ids) == 1 else ids,
        license_name="licence-of-each-clip" if OTHER in ids else None,
        task_categories=["automatic-speech-recognition"],
        size_categories=next((name for limit, name in _SIZES if count < limit), _MOST),
        tags=["audio", "phonemes", "speech", *(["synthetic"] if True in synthetic else [])],
    )


def hours(clips: Iterable[PublishedClip]) -> float:
    """Return the length of clips in hours."""
    return math.fsum(clip.utterance.duration_s for clip in clips) / 3600


def _summary(selection: ClipSelection) -> str:
    languages = sorted({clip.utterance.language for clip in selection.clips})
    speakers = {clip.speaker for clip in selection.clips}
    return (
        f"Speech in {', '.join(languages)} with texts and phones: {len(selection.clips)} clips, "
        f"{hours(selection.clips):.2f} h, {len(speakers)} speakers.\n"
    )


def _splits_table(selection: ClipSelection) -> str:
    rows = []
    for split in PARTS:
        clips = list(selection.of_split(split))
        speakers = {clip.speaker for clip in clips}
        languages = sorted({clip.utterance.language for clip in clips})
        rows.append(
            [split, len(clips), f"{hours(clips):.2f}", len(speakers), ", ".join(languages) or "-"]
        )
    return table(["split", "clips", "hours", "speakers", "languages"], rows, left=(0, 4))


def _corpora_table(selection: ClipSelection, cards: Mapping[str, Card]) -> str:
    groups: dict[tuple[str, str, bool], list[PublishedClip]] = defaultdict(list)
    for clip in selection.clips:
        u = clip.utterance
        groups[u.source, u.licence, u.synthetic].append(clip)
    rows = [
        [
            plain(source), plain(licence), plain(cards[source].source if source in cards else "-"),
            "synthetic" if synthetic else "recorded", len(clips), f"{hours(clips):.2f}",
            len({clip.speaker for clip in clips}),
        ]
        for (source, licence, synthetic), clips in sorted(groups.items())
    ]  # fmt: skip
    header = ["corpus", "licence", "source", "speech", "clips", "hours", "speakers"]
    return table(header, rows, left=(0, 1, 2, 3))


def _left_out(selection: ClipSelection) -> list[str]:
    if not selection.left_out:
        return ["No clip of the splits was left out."]
    rows = [
        [plain(corpus), plain(licence), "not a licence that is known to allow passing on", clips]
        for (corpus, licence), clips in selection.left_out.items()
    ]
    return [table(["corpus", "licence", "reason", "clips"], rows, left=(0, 1, 2))]
