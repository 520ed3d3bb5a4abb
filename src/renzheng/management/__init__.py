"""The second service: an operator's work as signed calls. Its actions are thin; the work is done in `operations`."""
