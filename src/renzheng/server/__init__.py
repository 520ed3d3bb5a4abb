"""The process as a whole: it connects the rooms, listens, and reports logs and metrics."""
