"""The formats of answers: JSON as OpenAI's clients read it, subtitles, and server-sent events."""
