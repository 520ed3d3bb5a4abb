"""The actions of the signed API: one file for each, with its request, its reply and its function."""
