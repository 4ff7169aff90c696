"""Plugins that attack: what each isolation profile promises, tried by real attacks on a real host.

``attacks`` has the attacks, with what is expected of each under each profile. ``installation`` makes a copy of rookery that an
ordinary user may run; ``theatre`` builds a deployment with secrets in it and starts its host as root or as a user nobody else
is; ``host`` is that host, which lets the attacking plugin make one attack after the other and looks after each whether all is
as before (``canaries``, ``services``). ``test_attacks`` compares with the table. ``python -m tests.hostile`` prints it.
"""
