"""Run the models of this folder with numpy and onnxruntime alone.

    python load.py clip.wav [--int8]    print the phones, or a row per hop of the causal models

    from load import open_folder
    phones = open_folder("folder").phones(samples)

A recogniser of whole clips has `phones` and `log_probs`. One of streams, and the causal models,
have `push` and `reset`: push samples of any number, and the result is what these complete. Samples
are float32 in [-1, 1], one channel, at the rate in package.json; other rates have to be resampled
first, for example by `ffmpeg -i in.mp3 -ar 16000 -ac 1 clip.wav`.

Each file is compared with its SHA-256 in package.json before it is used. This file depends on no
other module of the project that it comes from, and may be copied.
"""

from __future__ import annotations

import hashlib
import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]
LONGEST_S = 60  # of one input; the memory of attention grows with the square of it


class ModelFolder:
    """A folder with package.json.

    Attributes:
        package: the contents of package.json.
        rate_hz: the sample rate of all inputs.
    """

    def __init__(self, folder: Path | str) -> None:
        self._folder = Path(folder)
        self.package: dict[str, Any] = json.loads(
            (self._folder / "package.json").read_text(encoding="utf-8")
        )
        if not isinstance(self.package, dict) or not {"files", "kind"} <= self.package.keys():
            raise ValueError(f"{self._folder / 'package.json'}: not of a model; download it again")
        self.rate_hz: int = self.package.get("sample_rate_hz", 16_000)

    def verified(self, name: str) -> Path:
        """Return the path of a file, or raise ValueError if it is not the packaged one."""
        path, recorded = self._folder / name, self.package["files"].get(name)
        if recorded is None or not path.is_file():
            raise ValueError(f"{path}: no such file in this model")
        if hashlib.sha256(path.read_bytes()).hexdigest() != recorded["sha256"]:
            raise ValueError(f"{path}: not the packaged file; download it again")
        return path

    def session(self, name: str) -> Any:
        """Return an ONNX Runtime session of a verified file."""
        path = str(self.verified(name))
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


class ClipRecogniser:
    """Phones of whole clips."""

    def __init__(self, files: ModelFolder, int8: bool = False) -> None:
        self._session = files.session("model.int8.onnx" if int8 else "model.onnx")
        entries = self._session.get_modelmeta().custom_metadata_map
        self.labels, self.rate_hz = entries["labels"].split("\n"), int(entries["sample_rate_hz"])
        self.longest_s = min(LONGEST_S, int(entries.get("max_s", LONGEST_S)))

    def log_probs(self, samples: Array) -> Array:
        """Return log posteriors `[F, V]`, 50 frames per second, of a clip `[N]`.

        Raises:
            ValueError: the clip has no samples, or is longer than the longest input.
        """
        if not 0 < len(samples) <= self.longest_s * self.rate_hz:
            raise ValueError(
                f"{len(samples) / self.rate_hz:.1f} s of sound; expected more than 0 and at most "
                f"{self.longest_s} s, so cut it at a pause"
            )
        (log_probs,) = self._session.run(["log_probs"], {"samples": samples[None]})
        return np.asarray(log_probs[0], dtype=np.float32)

    def phones(self, samples: Array) -> list[str]:
        """Return the phones of a clip `[N]`: the best path, runs merged, without the blank."""
        best = self.log_probs(samples).argmax(axis=1)
        changes = np.flatnonzero(np.diff(best, prepend=-1))
        return [self.labels[label] for label in best[changes] if label]


class StreamRecogniser:
    """Phones of a stream; a returned phone never changes."""

    def __init__(self, files: ModelFolder) -> None:
        self._session = files.session("step.onnx")
        entries = self._session.get_modelmeta().custom_metadata_map
        self.labels, self.rate_hz = entries["labels"].split("\n"), int(entries["sample_rate_hz"])
        self._before, self._chunk, self._size = (
            int(entries[key]) for key in ("before", "chunk", "step_samples")
        )
        self._hop = self.rate_hz // files.package["frames_per_second"]
        self.reset()

    def reset(self) -> None:
        """Start a new stream."""
        self._state = {
            node.name: np.zeros(node.shape, dtype=np.float32)
            for node in self._session.get_inputs()
            if node.name not in {"samples", "frame"}
        }
        self._pending: Array = np.zeros(self._before, dtype=np.float32)
        self._frame, self._samples, self._last = 0, 0, 0

    def push(self, samples: Array) -> list[str]:
        """Return the phones that begin in the frames that samples `[N]` complete."""
        self._samples += len(samples)
        self._pending = np.concatenate([self._pending, samples])
        frames = []
        while len(self._pending) >= self._size:
            frames += self._step()
        return self._decoded(frames)

    def finish(self) -> list[str]:
        """Return the phones of the last frames, and start a new stream."""
        missing = max(0, -(-self._samples // self._hop) - self._frame)
        chunks = -(-missing // self._chunk)
        silence = chunks * self._chunk * self._hop + self._size
        self._pending = np.concatenate([self._pending, np.zeros(silence, dtype=np.float32)])
        frames = [label for _ in range(chunks) for label in self._step()]
        phones = self._decoded(frames[:missing])
        self.reset()
        return phones

    def phones(self, samples: Array) -> list[str]:
        """Return the phones of a whole recording `[N]`."""
        self.reset()
        return self.push(samples) + self.finish()

    def _step(self) -> list[int]:
        """Return the best label of each frame of the next chunk."""
        inputs = {"samples": self._pending[None, : self._size], "frame": np.array(self._frame)}
        log_probs, _ahead, *state = self._session.run(None, inputs | self._state)
        self._state = dict(zip(self._state, state, strict=True))
        self._pending = self._pending[self._chunk * self._hop :]
        self._frame += self._chunk
        labels: list[int] = log_probs[0].argmax(axis=1).tolist()
        return labels

    def _decoded(self, frames: list[int]) -> list[str]:
        phones = []
        for label in frames:
            if label and label != self._last:
                phones.append(self.labels[label])
            self._last = label
        return phones


class CausalModels:
    """Probabilities per hop of the models for an audio thread."""

    def __init__(self, files: ModelFolder) -> None:
        front = json.loads(files.verified("frontend.json").read_text(encoding="utf-8"))
        self._hop, self._window, self._fft = front["hop"], front["window"], front["fft"]
        self._floor, self.rate_hz = front["floor"], front["sample_rate_hz"]
        self._hann, self._mel, self._mean, self._std = (
            np.array(front[key]) for key in ("hann", "mel", "mean", "std")
        )
        self.hop_s: float = self._hop / self.rate_hz
        self.labels: dict[str, list[str]] = {
            name: model["labels"] for name, model in files.package["models"].items()
        }
        self._sessions = {name: files.session(f"{name}.onnx") for name in self.labels}
        self.reset()

    def reset(self) -> None:
        """Start a new stream."""
        self._samples = np.zeros(self._window - self._hop)
        self._states = {
            name: {
                node.name: np.zeros(node.shape, dtype=np.float32)
                for node in session.get_inputs()
                if node.name != "frames"
            }
            for name, session in self._sessions.items()
        }

    def push(self, samples: Array) -> dict[str, Array]:
        """Return `[T, labels]` of each model for the T hops that samples `[N]` complete."""
        self._samples = np.concatenate([self._samples, samples])
        count = (len(self._samples) - (self._window - self._hop)) // self._hop
        if not count:
            return {n: np.zeros((0, len(labels)), np.float32) for n, labels in self.labels.items()}
        windows = np.lib.stride_tricks.sliding_window_view(self._samples, self._window)
        spectrum = np.fft.rfft(windows[:: self._hop][:count] * self._hann, self._fft, axis=1)
        energies = (spectrum.real**2 + spectrum.imag**2) @ self._mel.T
        logs = np.log(self._floor + energies)
        features = np.asarray((logs - self._mean) / self._std, dtype=np.float32)
        self._samples = self._samples[count * self._hop :]
        return {name: self._run(name, features) for name in self.labels}

    def _run(self, name: str, features: Array) -> Array:
        session, state = self._sessions[name], self._states[name]
        names = ["outputs", *(f"next_{key}" for key in state)]
        outputs, *after = session.run(names, {"frames": features[None]} | state)
        self._states[name] = dict(zip(state, after, strict=True))
        return np.asarray(outputs[0], dtype=np.float32)


def open_folder(
    folder: Path | str, int8: bool = False
) -> ClipRecogniser | StreamRecogniser | CausalModels:
    """Return the model of a folder; `int8` selects the smaller files of a clip recogniser."""
    files = ModelFolder(folder)
    if int8 and "model.int8.onnx" not in files.package["files"]:
        raise ValueError(f"{folder}: no int8 file in this model; leave --int8 out")
    kind = files.package["kind"]
    if kind == "stream":
        return StreamRecogniser(files)
    return CausalModels(files) if kind == "realtime" else ClipRecogniser(files, int8)


def read_wav(path: Path | str, rate_hz: int) -> Array:
    """Return the samples of a WAV file with 16 bits, or raise ValueError if it is another."""
    try:
        with wave.open(str(path), "rb") as file:
            layout = (file.getnchannels(), file.getsampwidth() * 8, file.getframerate())
            data = file.readframes(file.getnframes())
    except (EOFError, wave.Error) as error:  # EOFError has no message
        problem = str(error) or "it ends in the header"
        raise ValueError(f"{path}: not a WAV file with samples as integers: {problem}") from error
    if layout != (1, 16, rate_hz):
        raise ValueError(
            f"{path}: {layout[0]} channels of {layout[1]} bits at {layout[2]} Hz; expected 1 of 16 "
            f"bits at {rate_hz} Hz, as ffmpeg -i {path} -ar {rate_hz} -ac 1 clip.wav writes it"
        )
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(32768)


def main(arguments: list[str]) -> None:
    """Print what the model beside this file predicts for a WAV file."""
    clips = [argument for argument in arguments if argument != "--int8"]
    if len(clips) != 1:
        sys.exit("usage: python load.py clip.wav [--int8]")
    try:
        model = open_folder(Path(__file__).parent, "--int8" in arguments)
        samples = read_wav(clips[0], model.rate_hz)
        if not isinstance(model, CausalModels):
            print(*model.phones(samples))
            return
        outputs = model.push(samples)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print("seconds", *model.labels, sep="\t")
    for hop in range(len(next(iter(outputs.values())))):
        best = [
            f"{rows[hop, 0]:.3f}" if rows.shape[1] == 1 else model.labels[name][rows[hop].argmax()]
            for name, rows in outputs.items()
        ]
        print(f"{(hop + 1) * model.hop_s:.2f}", *best, sep="\t")


if __name__ == "__main__":
    main(sys.argv[1:])
