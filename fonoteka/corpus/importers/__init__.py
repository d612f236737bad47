"""Import recordings and transcripts into a corpus folder."""
