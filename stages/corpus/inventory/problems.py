"""The problems that a file of a corpus can have, each with what to do about it.

The inventory reports the first of these that a file has; `detail` contains the value. A file with a
problem stays in its folder, and `dedupe` quarantines it.
"""

from __future__ import annotations

HIDDEN, NOT_AUDIO, OUTSIDE = "hidden", "not audio", "outside the corpus folder"
COLLISION, UNREADABLE, TRUNCATED = "name collision", "unreadable", "truncated"
UNKNOWN_LENGTH, TOO_LARGE, CHANNELS = "unknown length", "too large", "wrong channel count"
EMPTY, NOT_FINITE, TOO_SHORT, TOO_LONG = "empty", "not finite", "too short", "too long"
SILENT, CLIPPED, NO_TRANSCRIPT = "silent", "clipped", "no transcript"

PROBLEMS = {
    OUTSIDE: "a link or a row of the table leads out of the corpus; copy the file into it",
    HIDDEN: "its name or a folder's begins with a dot; rename it, or remove what a program left",
    NOT_AUDIO: "no row names it and its name is none of audio, or it is no file; move it away",
    COLLISION: "two names differ only by case or by how accents are written, so that some systems "
    "keep one of the files; rename one",
    TOO_LARGE: "the file is above inventory.max_bytes, or needs more than inventory.memory_mib to "
    "decode; cut it into sentences",
    UNREADABLE: "damaged, contradicts itself, or in a format that isn't read; convert the original",
    TRUNCATED: "the file ends before its sound does; copy it again from where it came from",
    UNKNOWN_LENGTH: "the file doesn't state its length, so nobody can tell whether it is whole; "
    "convert it with a program that writes to a file and not to a pipe",
    CHANNELS: "more channels than inventory.max_channels; export one microphone",
    EMPTY: "a whole file without a sample; record it again",
    NOT_FINITE: "a sample is NaN or infinite; export it again",
    TOO_LONG: "longer than inventory.max_s; cut it into sentences",
    TOO_SHORT: "shorter than inventory.min_s; remove it",
    SILENT: "its loudest sample is below inventory.silent_below_dbfs; record it again",
    CLIPPED: "more than inventory.max_clipped_fraction of its samples are at full scale or beyond; "
    "record it again at a lower gain",
    NO_TRANSCRIPT: "the table has no text for it; write what is said",
}
"""All problems that the inventory reports, the most serious first, and what to do."""
