"""English numbers, dates, units and codes as spoken."""
