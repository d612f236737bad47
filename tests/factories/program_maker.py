"""Recordings as ffmpeg, lame, sox and opusenc write them: each codec, container, rate and width.

One process of ffmpeg writes all that it can of one rate and number of channels. `seekable 0` has
it write as to a pipe: it does not go back to a header.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import lfilter

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
FEW = (8000, 16000, 44100)  # of a container whose codec another one has at every rate
SECONDS = 1.1
BARE = 1105 + 1152  # of LAME and a decoder, and of a last frame; at low rates the tag has no room
OPUS, SPEEX = (8000, 12000, 16000, 24000, 48000), (8000, 16000, 32000)
OPTIONAL = (".mp3", ".amr", ".awb")  # of sox


@dataclass(frozen=True)
class ProgramKind:
    """One way to write a file.

    Attributes:
        name: of the file; its first part names the test.
        options: of the program.
        exact: bits of a sample that come back as they were; 0 if the codec is lossy.
        rates: that the codec allows.
        most: channels that it allows.
        frame: samples of one frame or block of the codec at the file's rate, 0 for plain samples.
        delay: samples that a coder puts before the sound and that the file cannot state.
    """

    name: str
    options: tuple[str, ...]
    exact: int = 0
    rates: tuple[int, ...] = RATES
    most: int = 2
    frame: int = 0
    delay: int = 0


def _ffmpeg(name: str, options: str, exact: int = 0, frame: int = 0, **more: object) -> ProgramKind:
    return ProgramKind(name, tuple(options.split()), exact, frame=frame, **more)


FFMPEG = (
    _ffmpeg("u8.wav", "-c:a pcm_u8", 8),
    _ffmpeg("s16.wav", "-c:a pcm_s16le", 16),
    _ffmpeg("s24.wav", "-c:a pcm_s24le", 16),
    _ffmpeg("s32.wav", "-c:a pcm_s32le", 16),
    _ffmpeg("float.wav", "-c:a pcm_f32le", 16),
    _ffmpeg("double.wav", "-c:a pcm_f64le", 16),
    _ffmpeg("alaw.wav", "-c:a pcm_alaw"),
    _ffmpeg("ulaw.wav", "-c:a pcm_mulaw"),
    _ffmpeg("ima.wav", "-c:a adpcm_ima_wav", frame=2041),
    _ffmpeg("ms.wav", "-c:a adpcm_ms", frame=2036),
    _ffmpeg("gsm.wav", "-c:a libgsm_ms", frame=320, rates=(8000,), most=1),
    _ffmpeg("pipe-s16.wav", "-seekable 0 -c:a pcm_s16le", 16),
    _ffmpeg("pipe-s24.wav", "-seekable 0 -c:a pcm_s24le", 16),
    _ffmpeg("pipe-float.wav", "-seekable 0 -c:a pcm_f32le", 16),
    _ffmpeg("pipe-u8.wav", "-seekable 0 -c:a pcm_u8", 8),
    _ffmpeg("pipe-ulaw.wav", "-seekable 0 -c:a pcm_mulaw"),
    _ffmpeg("pipe-ima.wav", "-seekable 0 -c:a adpcm_ima_wav", frame=2041),
    _ffmpeg("pipe-ms.wav", "-seekable 0 -c:a adpcm_ms", frame=2036),
    _ffmpeg("pipe-gsm.wav", "-seekable 0 -c:a libgsm_ms", frame=320, rates=(8000,), most=1),
    _ffmpeg("rf64.wav", "-rf64 always -c:a pcm_s16le", 16),
    _ffmpeg("w64.w64", "-c:a pcm_s16le", 16, 4),  # fills up to 8 bytes, and counts them
    _ffmpeg("pipe.w64", "-seekable 0 -c:a pcm_s16le", 16, 4),
    _ffmpeg("s16.aiff", "-c:a pcm_s16be", 16),
    _ffmpeg("s24.aiff", "-c:a pcm_s24be", 16),
    _ffmpeg("s16.au", "-c:a pcm_s16be", 16),
    _ffmpeg("pipe-s16.au", "-seekable 0 -c:a pcm_s16be", 16),
    _ffmpeg("s16.caf", "-c:a pcm_s16be", 16),
    _ffmpeg("pipe.caf", "-seekable 0 -c:a pcm_s16be", 16),
    _ffmpeg("s16.flac", "-c:a flac", 16, 4608),
    _ffmpeg("s24.flac", "-c:a flac -sample_fmt s32", 16, 4608),
    _ffmpeg("pipe.flac", "-seekable 0 -c:a flac", 16, 4608),
    _ffmpeg("flac.ogg", "-c:a flac -f ogg", 16, 4608),
    _ffmpeg("vorbis.ogg", "-c:a libvorbis -f ogg", frame=1024),
    _ffmpeg("speex.ogg", "-c:a libspeex -q:a 10 -f ogg", frame=640, rates=SPEEX),
    _ffmpeg("opus.ogg", "-c:a libopus -f ogg", frame=960, rates=OPUS),
    _ffmpeg("opus.opus", "-c:a libopus -b:a 24k", frame=960, rates=OPUS),
    _ffmpeg("opus.webm", "-c:a libopus", frame=960, rates=OPUS),
    _ffmpeg("recorder.webm", "-seekable 0 -c:a libopus -f webm -live 1", frame=960, rates=OPUS),
    _ffmpeg("vorbis.webm", "-c:a libvorbis", frame=1024, rates=FEW),
    _ffmpeg("aac.m4a", "-c:a aac", frame=1024),
    _ffmpeg("aac.aac", "-c:a aac -f adts", frame=1024, delay=1024, rates=FEW),
    _ffmpeg("fragments.mp4", "-c:a aac -movflags empty_moov+frag_keyframe", frame=1024,
            delay=1024, rates=FEW),
    _ffmpeg("alac.m4a", "-c:a alac", 16, 4096),
    _ffmpeg("cbr.mp3", "-c:a libmp3lame -b:a 64k", frame=1152),
    _ffmpeg("vbr.mp3", "-c:a libmp3lame -q:a 4", frame=1152),
    _ffmpeg("abr.mp3", "-c:a libmp3lame -abr 1 -b:a 64k", frame=1152),
    _ffmpeg("cbr-bare.mp3", "-c:a libmp3lame -b:a 64k -write_xing 0", frame=1152, delay=BARE),
    _ffmpeg("vbr-bare.mp3", "-c:a libmp3lame -q:a 4 -write_xing 0", frame=1152, delay=BARE),
    _ffmpeg("cbr-id3v1.mp3", "-c:a libmp3lame -b:a 64k -write_id3v1 1 -metadata title=a",
            frame=1152),
    _ffmpeg("wma2.wma", "-c:a wmav2 -b:a 64k", frame=2048),
)  # fmt: skip
LAME = (
    ProgramKind("cbr.mp3", ("--cbr", "-b", "64"), frame=1152),
    ProgramKind("vbr.mp3", ("-V", "4"), frame=1152),
    ProgramKind("abr.mp3", ("--abr", "64"), frame=1152),
    ProgramKind("cbr-bare.mp3", ("--cbr", "-b", "64", "-t"), frame=1152, delay=BARE),
    ProgramKind("vbr-bare.mp3", ("-V", "4", "-t"), frame=1152, delay=BARE),
    ProgramKind(
        "tags.mp3",
        ("--tt", "naslov", "--add-id3v2", "--pad-id3v2-size", "200"),
        frame=1152,
        delay=BARE,
    ),
    ProgramKind("id3v1.mp3", ("--tt", "naslov", "--id3v1-only"), frame=1152, delay=BARE),
)
SOX = (
    ProgramKind("s16.wav", ("-b", "16"), 16),
    ProgramKind("u8.wav", ("-b", "8"), 8),
    ProgramKind("s24.wav", ("-b", "24"), 16),
    ProgramKind("s32.wav", ("-b", "32"), 16),
    ProgramKind("float.wav", ("-e", "floating-point"), 16),
    ProgramKind("alaw.wav", ("-e", "a-law")),
    ProgramKind("ulaw.wav", ("-e", "mu-law")),
    ProgramKind("ima.wav", ("-e", "ima-adpcm"), frame=2041),
    ProgramKind("ms.wav", ("-e", "ms-adpcm"), frame=2036),
    ProgramKind("gsm.wav", ("-e", "gsm-full-rate"), frame=320, rates=(8000,), most=1),
    ProgramKind("pipe-s16.wav", ("-b", "16"), 16),
    ProgramKind("pipe-s24.wav", ("-b", "24"), 16),
    ProgramKind("pipe-float.wav", ("-e", "floating-point"), 16),
    ProgramKind("pipe-ima.wav", ("-e", "ima-adpcm"), frame=2041),
    ProgramKind("pipe.flac", ("-b", "16"), 16, frame=4608),
    ProgramKind("s16.aiff", ("-b", "16"), 16),
    ProgramKind("s16.au", ("-b", "16"), 16),
    ProgramKind("pipe-s16.au", ("-b", "16"), 16),
    ProgramKind("s16.flac", ("-b", "16"), 16, frame=4608),
    ProgramKind("vorbis.ogg", (), frame=1024),
    ProgramKind("cbr.mp3", ("-C", "64"), frame=1152),
    ProgramKind("amr.amr", ("-C", "7", "-t", "amr-nb"), frame=160, rates=(8000,), most=1),
    ProgramKind("amr-wb.awb", ("-C", "8", "-t", "amr-wb"), frame=320, rates=(16000,), most=1),
)
OPUSENC = (
    ProgramKind("opus.opus", ("--bitrate", "32"), frame=960),
    ProgramKind("opus-vbr.opus", ("--vbr",), frame=960),
)
ALL = {"ffmpeg": FFMPEG, "lame": LAME, "sox": SOX, "opusenc": OPUSENC}


@dataclass(frozen=True)
class ProgramFile:
    """A file that a program wrote, and the file of 16 bits that it was made from."""

    path: Path
    whole: Path
    program: str
    kind: ProgramKind
    rate: int
    channels: int


def source(rate: int, channels: int) -> np.ndarray:
    """Return what all files of this rate and width hold, shape `[frames, channels]`.

    Pulses at a gliding pitch through two formants: coders of speech keep the waveform of no less.
    """
    time = np.arange(round(SECONDS * rate)) / rate
    turns = np.floor(140 * (time + 0.03 * np.sin(2 * np.pi * 2 * time)))
    sound = (np.diff(turns, prepend=0) > 0).astype(float)
    for hz, width in ((600, 80), (1200, 100)):
        radius = np.exp(-np.pi * width / rate)
        sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hz / rate), radius**2], sound)
    sound *= 0.6 * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) / np.abs(sound).max()
    sound += 0.001 * np.random.default_rng(rate).standard_normal(time.size)
    return np.stack([sound * (1 - 0.3 * n) for n in range(channels)], axis=1)


def write_files(
    folder: Path, rate: int, channels: int, programs: Iterable[str] = tuple(ALL)
) -> list[ProgramFile]:
    """Write all files of one rate and number of channels that the programs here can write."""
    # ffmpeg writes all of its files in one start, lame and sox one file each.
    whole = folder / f"{rate}-{channels}.wav"
    sf.write(whole, source(rate, channels), rate, subtype="PCM_16")
    installed = [
        ProgramFile(
            folder / f"{program}-{rate}-{channels}-{kind.name}",
            whole,
            program,
            kind,
            rate,
            channels,
        )
        for program in programs
        if shutil.which(program)
        for kind in ALL[program]
        if rate in kind.rates and channels <= kind.most
    ]
    outputs = [
        part
        for program_file in installed
        if program_file.program == "ffmpeg"
        for part in ("-threads", "1", *program_file.kind.options, str(program_file.path))
    ]
    if outputs:
        start(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(whole), *outputs])
    for program_file in installed:
        if program_file.program == "lame":
            wanted = ("--resample", f"{rate / 1000:g}", *program_file.kind.options)
            start(["lame", "--quiet", *wanted, str(whole), str(program_file.path)])
        elif program_file.program == "opusenc":
            start(
                [
                    "opusenc",
                    "--quiet",
                    *program_file.kind.options,
                    str(whole),
                    str(program_file.path),
                ]
            )
        elif program_file.program == "sox":
            _sox(program_file, whole)
    return [program_file for program_file in installed if program_file.path.exists()]


def _sox(program_file: ProgramFile, whole: Path) -> None:
    options = [*program_file.kind.options]
    if "pipe" in program_file.kind.name:  # at both ends, so that it cannot know the length
        arguments = ["-t", "raw", "-r", str(program_file.rate), "-e", "signed", "-b", "16"]
        command = ["sox", "-D", *arguments, "-c", str(program_file.channels), "-", *options]
        raw = whole.read_bytes()[44:]
        program_file.path.write_bytes(
            start([*command, "-t", program_file.path.suffix[1:], "-"], raw)
        )
    elif program_file.kind.name.endswith(OPTIONAL):
        try:
            start(["sox", "-D", str(whole), *options, str(program_file.path)])
        except subprocess.CalledProcessError:  # a package of its own has that encoder
            program_file.path.unlink(missing_ok=True)
    else:
        start(["sox", "-D", str(whole), *options, str(program_file.path)])


def start(command: list[str], arguments: bytes = b"") -> bytes:
    """Run a program to its end, with bytes on a pipe to it, and return what it wrote to another.

    Raises:
        CalledProcessError: it fails; `stderr` is its message.
    """
    return subprocess.run(
        command, input=arguments, capture_output=True, check=True, timeout=60
    ).stdout
