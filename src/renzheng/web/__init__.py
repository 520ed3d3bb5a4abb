"""What the rooms with pages share: files for a browser, and plots."""
