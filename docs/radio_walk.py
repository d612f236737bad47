"""Walk the way of docs/data.md on a small scale, and write what each step was worth.

    python docs/radio_walk.py ~/fsdd reports/bench/radio_walk.json [--resume]

Reads   the Free Spoken Digit Dataset; the build of this repository, for its Whisper
Writes  the report; data/raw, params.yaml and the build of the repository are changed, so give it a
        clone

The radio are the recordings of two speakers without their transcripts, served on this machine. One
speaker is transcribed in part, one validates and two test. The texts that a person would write for
the chosen recordings are those of the data set. Recipes and sweeps are measured by their own
commands.
"""

from __future__ import annotations

import argparse
import hashlib
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

sys.path.append(str(Path(__file__).resolve().parents[1]))

from fonoteka.bench.alignment.digits import DIGITS, digit_files
from fonoteka.core.files import read_json, write_json, write_text
from fonoteka.git import entered
from fonoteka.manifest import read

WALK, RAW = Path("data/walk"), Path("data/raw")
LICENCE = "CC BY-SA 4.0"
TAKES = {"lucas": 6, "jackson": 20, "george": 30, "theo": 30}  # of each digit, with texts
RADIO, RADIO_TAKES = ("nicolas", "yweweler"), 25
PARTS = {"lucas": "train", "jackson": "valid", "george": "test", "theo": "test"}
MODEL = "whisper_ctc"
STAGES = f"evaluate@{MODEL} package@{MODEL}"
SELECTED_S = 60.0  # of speech that a person transcribes


class Walk:
    """The steps that were run, and the error rate after those that end with a training."""

    def __init__(self, report: Path, *, resume: bool) -> None:
        self.report, self.steps = report, list[dict[str, Any]]()
        self.done: list[dict[str, Any]] = read_json(report)["steps"] if resume else []

    def run(self, step: int, command: str, note: str = "") -> None:
        """Run a command of the library and record it, unless an earlier walk has."""
        if len(self.steps) < len(self.done):  # of the walk that is resumed
            self.steps.append(self.done[len(self.steps)])
            return
        print(f"{step}. python -m fonoteka {command}", flush=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "fonoteka", *shlex.split(command)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        print(done.stdout, flush=True)
        if done.returncode:
            raise SystemExit(done.returncode)
        seconds = round(time.monotonic() - start)
        self.steps.append({"step": step, "command": command, "seconds": seconds, "note": note})
        write_json(self.report, {"steps": self.steps})

    def train(self, step: int, corpora: Sequence[str], name: str) -> None:
        """Build with these corpora, and record the error rate on the test voices."""
        write_profile(corpora)
        self.run(step, f"profile {WALK}/profile.yaml")
        self.run(step, f"repro {STAGES}")
        if "per" in self.steps[-1]:
            return
        score = read_json(Path(f"reports/metrics/{MODEL}.json"))
        clips = read(Path("data/splits/train.jsonl"))
        self.steps[-1] |= {
            "trained_on": name, "per": score["per"], "per_low": score["per_low"],
            "per_high": score["per_high"], "train_clips": len(clips),
            "train_s": round(sum(clip.duration_s for clip in clips), 1),
        }  # fmt: skip
        write_json(self.report, {"steps": self.steps})
        print(f"{name}: PER {score['per']:.1%} on two unseen voices", flush=True)


def write_profile(corpora: Sequence[str]) -> None:
    """Write the profile `fsdd` with these corpora and the speakers of the walk."""
    path = Path("fonoteka/pipeline/profiles/fsdd.yaml")
    profile = yaml.safe_load(path.read_text(encoding="utf-8"))
    voices = {f"digits/{name}": part for name, part in PARTS.items()}
    voices |= {f"{c}/{name}": "train" for c in corpora if c != "digits" for name in RADIO}
    profile["inventory"] = {"corpora": [*corpora]}
    profile["split"] |= {"assigned": voices, "same_sentences": [*corpora]}
    profile["audit"] = {"same_sentences": [*corpora]}
    # A head of some hundred clips loses a point or more in int8; the walk compares fp32.
    profile["onnx"] |= {"int8": {"max_per_loss": 0.05}}
    write_text(WALK / "profile.yaml", yaml.safe_dump(profile, sort_keys=False))


def write_folders(fsdd: Path) -> dict[str, str]:
    """Write the transcribed recordings and the server's folder; return the texts of the radio.

    Returns:
        the text of each recording of the radio by the hash of its bytes.
    """
    for folder in ("digits", "valid", "web"):
        shutil.rmtree(WALK / folder, ignore_errors=True)
        (WALK / folder).mkdir(parents=True)
    rows, valid = ["path,speaker,text"], ["path,speaker,text"]
    items, texts = ["url,licence,speaker,language"], dict[str, str]()
    for speaker, digit, take, path in digit_files(fsdd):
        if take < TAKES.get(speaker, 0):
            shutil.copy(path, WALK / "digits" / path.name)
            rows.append(f"{path.name},{speaker},{DIGITS[digit]}")
            if PARTS[speaker] == "valid":  # a threshold may not be chosen on the test voices
                shutil.copy(path, WALK / "valid" / path.name)
                valid.append(rows[-1])
        elif speaker in RADIO and take < RADIO_TAKES:
            shutil.copy(path, WALK / "web" / path.name)
            items.append(f"{path.name},{LICENCE},{speaker},en")
            texts[hashlib.sha256(path.read_bytes()).hexdigest()] = DIGITS[digit]
    write_text(WALK / "digits/metadata.csv", "\n".join(rows) + "\n")
    write_text(WALK / "valid/metadata.csv", "\n".join(valid) + "\n")
    write_text(WALK / "web/manifest.csv", "\n".join(items) + "\n")
    return texts


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine, and yield its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def answers(queue: Path, texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the export of a project in which a person wrote the text of each task."""
    return [
        {
            "id": number, "data": task["data"],
            "annotations": [{
                "id": number, "completed_by": 1, "lead_time": 2 * task["data"]["seconds"],
                "result": [{
                    "from_name": "transcription", "to_name": "audio", "type": "textarea",
                    "value": {"text": [texts[task["data"]["sha256"]]]},
                }],
            }],
        }
        for number, task in enumerate(read_json(queue))
    ]  # fmt: skip


def main() -> None:
    """Read the command line and walk."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fsdd", type=Path, help="the Free Spoken Digit Dataset")
    parser.add_argument("report", type=Path)
    parser.add_argument("--resume", action="store_true", help="after the steps in the report")
    args = parser.parse_args()
    fsdd, walk = args.fsdd.resolve(), Walk(args.report.resolve(), resume=args.resume)
    with entered():
        walk_all(walk, write_folders(fsdd))


def walk_all(walk: Walk, texts: Mapping[str, str]) -> None:
    """Run all steps in the order of docs/data.md."""
    radio = shlex.join(["--accept", "CC BY*", "--allow-private", "--delay-s", "0", "--no-dvc"])
    with served(WALK / "web") as address:
        harvest = f"harvest run --name radio --list {address}/manifest.csv {radio}"
        walk.run(1, harvest)
        walk.run(1, harvest, "a second run downloads nothing")
    licence = shlex.join(["--licence", LICENCE])
    walk.run(
        2, f"corpus add {WALK}/digits --name digits --language en {licence} --source FSDD --no-dvc"
    )
    walk.train(2, ["digits"], "transcribed recordings of one speaker")

    # Whisper is tuned on what is transcribed: the base does not know single digits.
    walk.run(3, "repro train_whisper")
    walk.run(
        3, f"self-train words {RAW}/radio {WALK}/pseudo --labelled {WALK}/valid --language en "
        f"{licence} --model data/models/whisper/tuned",
    )  # fmt: skip
    walk.run(3, f"corpus add {WALK}/pseudo --name pseudo {licence} --source-column source --no-dvc")
    walk.train(3, ["digits", "pseudo"], "and texts by Whisper that are expected to be right")

    walk.run(4, f"select --hours {SELECTED_S / 3600} --corpus radio --model {MODEL} --no-words")
    write_json(WALK / "export.json", answers(Path("data/selection/queue-001.json"), texts))
    # Of a recording that two corpora have, dedupe keeps the one whose corpus is first by name.
    walk.run(4, f"select import {WALK}/export.json --name answers --no-dvc")
    walk.train(
        4, ["answers", "digits", "pseudo"], "and the recordings that were selected and transcribed"
    )


if __name__ == "__main__":
    main()
