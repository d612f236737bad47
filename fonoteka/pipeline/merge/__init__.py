"""`merge-lock`: dvc.lock after a merge conflict."""
