"""The models that the service offers: packages that passed their checks, and how they change."""
