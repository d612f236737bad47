"""How well the confidence of answers fits their errors: calibration, error detection, intervals."""
