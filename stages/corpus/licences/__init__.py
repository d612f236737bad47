"""State under which licences the recordings may be used."""
