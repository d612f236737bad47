"""The problems that a file of a corpus can have, each with its remedy.

The inventory reports the first problem of a file; column `detail` contains the value. A file with a
problem stays in its folder, and `dedupe` quarantines it.
"""

from __future__ import annotations

HIDDEN, NOT_AUDIO, OUTSIDE = "hidden", "not audio", "outside the corpus folder"
COLLISION, UNREADABLE, TRUNCATED = "name collision", "unreadable", "truncated"
UNKNOWN_LENGTH, TOO_LARGE, CHANNELS = "unknown length", "too large", "wrong channel count"
EMPTY, NOT_FINITE, TOO_SHORT, TOO_LONG = "empty", "not finite", "too short", "too long"
SILENT, CLIPPED, NO_TRANSCRIPT = "silent", "clipped", "no transcript"

PROBLEMS = {
    OUTSIDE: "a link or a row of the table refers to a path outside the corpus; copy the file into "
    "the corpus",
    HIDDEN: "the name of the file or of a folder begins with a dot; rename it, or remove the file "
    "if a program left it",
    NOT_AUDIO: "not a regular file, or no row of the table names it and its extension is not one "
    "of an audio format; move it out of the corpus",
    COLLISION: "two names differ only in case or in the encoding of accents, so some file systems "
    "keep only one of the files; rename one",
    TOO_LARGE: "the file is larger than inventory.max_bytes, or decoding needs more than "
    "inventory.memory_mib; cut it into sentences",
    UNREADABLE: "damaged, inconsistent, or in a format that is not supported; convert the original "
    "again",
    TRUNCATED: "the file ends before the end of its audio; copy it again from its origin",
    UNKNOWN_LENGTH: "the file does not state its length, so a missing end would not be noticed; "
    "convert it with a program that writes to a file and not to a pipe",
    CHANNELS: "more channels than inventory.max_channels; export one microphone",
    EMPTY: "the file is complete but contains no samples; record it again",
    NOT_FINITE: "a sample is NaN or infinite; export it again",
    TOO_LONG: "longer than inventory.max_s; cut it into sentences",
    TOO_SHORT: "shorter than inventory.min_s; remove it",
    SILENT: "the peak is below inventory.silent_below_dbfs; record it again",
    CLIPPED: "more than inventory.max_clipped_fraction of the samples are at full scale or above; "
    "record it again at a lower gain",
    NO_TRANSCRIPT: "no transcript; write the spoken words in the table",
}
"""Each problem with its meaning and its remedy, the most serious first."""
