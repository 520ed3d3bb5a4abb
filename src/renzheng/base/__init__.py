"""What every room may import. None of it belongs to one room's subject."""
