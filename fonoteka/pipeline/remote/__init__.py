"""`remote`, `push`, `pull`: where data is stored."""
