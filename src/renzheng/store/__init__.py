"""Everything that must outlast the process. All SQL is in this room; `open.py` puts the parts together."""
