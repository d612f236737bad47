"""Signal processing on arrays of samples."""
