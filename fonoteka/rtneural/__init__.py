"""RTNeural's JSON format: export, validation, a numpy interpreter, parity with torch."""
