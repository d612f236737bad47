"""Tables, figures and rounded numbers for reports."""
