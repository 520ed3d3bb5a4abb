"""The second service: what an operator does, as signed calls. Its actions are thin: the work is in `operations`."""
