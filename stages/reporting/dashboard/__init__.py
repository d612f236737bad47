"""Write the dashboard: one HTML page of all test clips, models and corpus numbers."""
