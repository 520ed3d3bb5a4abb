"""The actions of the signed API: one file each, with its request, its reply and its function."""
