"""The dashboard: all test clips, models and corpus numbers of a run in one HTML page."""
