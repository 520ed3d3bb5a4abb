"""The page at the server's bare address, for people with a browser."""
