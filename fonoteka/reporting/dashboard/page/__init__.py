"""The dashboard's page: its frame, style and scripts, and what puts a document into them."""
