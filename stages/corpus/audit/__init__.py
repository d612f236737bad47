"""Prove on the finished splits that nothing leaks, and advise what to record next."""
