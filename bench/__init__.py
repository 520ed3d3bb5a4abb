"""Measurements against peers and floors. Each script compares in one interleaved run and prints the ratio."""
