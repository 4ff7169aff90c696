"""Recorded chat as a gateway."""
