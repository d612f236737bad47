"""Models and data in the layouts that model hubs and their libraries read, and their upload."""
