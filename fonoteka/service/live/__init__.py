"""Live streams over WebSockets: one session, and three dialects of messages."""
