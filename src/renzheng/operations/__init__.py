"""What an operator may do, once: the command line and the management service carry it out through here."""
