"""Arrange the files of a public corpus as a folder that the importers read."""
