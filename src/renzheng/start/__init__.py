"""The page at the bare address, for somebody who opens it in a browser."""
