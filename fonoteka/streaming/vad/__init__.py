"""Voice activity detectors: samples in, one decision per frame out, without a look ahead."""
