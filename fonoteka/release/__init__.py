"""Release versions of models as tags of git, and assign them to stages such as `prod`."""
