"""An operator's work, written once: the command line and the management service both use it."""
