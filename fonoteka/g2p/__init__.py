"""Words to phones, and phones to mouth shapes."""
