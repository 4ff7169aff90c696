"""Which exit code of the command line says what? Imports nothing: `rookery status` needs no more."""

from __future__ import annotations

EXIT_OK = 0
EXIT_MISTAKE = 1
"""A mistake of the user's: in a configuration, a manifest, an argument."""
EXIT_BUG = 70
"""A bug of rookery's, or all required shards given up: `EX_SOFTWARE` of sysexits.h."""
EXIT_RESTART = 75
"""An operator wants the host to be started again: `EX_TEMPFAIL`, for whoever started it."""
EXIT_INTERRUPTED = 130
"""Ctrl-C, as a shell reports it: 128 and the signal's number."""
