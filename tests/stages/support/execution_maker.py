"""Section `execution` for the params.yaml of a test: all work in the test's own process."""

EXECUTION = {
    "executor": "serial", "workers": 1, "scheduler": "",
    "slurm": {"partition": "", "array_limit": 1, "time": "", "extra": [], "poll_s": 1.0},
}  # fmt: skip
