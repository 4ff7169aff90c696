"""The vocabulary that the host and its runners share."""
