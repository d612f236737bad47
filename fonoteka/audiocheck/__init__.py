"""Decode recordings, and refuse those whose samples cannot be trusted.

`probe.probe` checks the structure of a file, decodes it and measures it. `decode.read_sound`
returns the samples of an accepted file. `downmix.choose_channel` detects channels that cancel each
other. `sandbox` runs these functions on many files in processes with limits.

>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np, soundfile
>>> from fonoteka.audiocheck.probe import probe
>>> with tempfile.TemporaryDirectory() as folder:
...     path = Path(folder, "clip.wav")
...     soundfile.write(path, np.zeros(1600), 16_000)
...     whole = probe(path)
...     size = path.write_bytes(path.read_bytes()[:-10])
...     cut = probe(path)
>>> whole.codec, whole.duration_s, whole.problem
('WAV PCM_16', 0.1, '')
>>> cut.problem, cut.detail
('truncated', 'ends after 3190 of 3200 bytes of sound')
"""
