"""Everything that must outlast the process. All SQL is in here; `open.py` puts the parts together."""
