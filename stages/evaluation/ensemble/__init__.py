"""Choose the combination of models that is best on the validation split."""
