"""A whole host in one thread, on a clock that jumps, against runners that do what a seed says: run by
``python -m tests.simulator --seed N``.

Real: the tree, the supervisor, shards, incarnations, dispatcher, watchdog, court, groups, the links of the host with their
sessions, the pages and the output pipes. Not there: processes, the kernel's sockets, the store, the control socket, the files
of the state directory. The lowest seam is the host's socket: ``wire.py`` stands for the kernel's.
"""
