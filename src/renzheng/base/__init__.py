"""What every room may import: the subject of none of them."""
