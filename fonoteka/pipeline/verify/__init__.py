"""`verify`: rebuild in a clean clone and compare with dvc.lock."""
