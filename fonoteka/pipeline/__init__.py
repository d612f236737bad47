"""Work on a DVC pipeline: run, status, diff, verify, merge, remotes."""
