"""The process as a whole: where the rooms meet, what listens, and what is told of it."""
