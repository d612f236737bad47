"""Find recordings of the same sound after conversion, cutting, gain and noise.

`fingerprint.fingerprint` returns the codes of a clip, `candidates.candidate_pairs` proposes pairs
of clips by their codes, and `similarity.match` compares the waveforms of a pair. `store` keeps the
codes of a corpus in one file.

>>> import numpy as np
>>> from fonoteka.fingerprint.candidates import candidate_pairs
>>> from fonoteka.fingerprint.fingerprint import SIZE, fingerprint
>>> from fonoteka.fingerprint.similarity import match, telephone_band
>>> rng = np.random.default_rng(1)
>>> clip, other, noise = rng.standard_normal((3, 32_000))
>>> clips = [clip, other, 0.5 * clip[800:] + 0.02 * noise[800:]]
>>> codes = np.zeros((3, SIZE), dtype=np.uint64)
>>> for row, samples in zip(codes, clips):
...     own = fingerprint(samples, 16_000)
...     row[: len(own)] = own
>>> candidate_pairs(codes, [2.0, 2.0, 1.95]).tolist()
[[0, 2]]
>>> first, second = (telephone_band(clips[index], 16_000) for index in (0, 2))
>>> match(first, second, max_outside_s=0.5).is_copy(0.97)
True
"""
