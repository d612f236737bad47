"""Compare the models in one table and one figure."""
