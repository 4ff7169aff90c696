"""An IRC client as a gateway.

What decides knows no clock and no socket: line: one line of IRC · casemap: which names are equal · registration: how
we get in · split: long texts into lines · liveness: how long to wait · received: what happened ·
session: one connection, bytes in and occurrences out · translate: IRC's words and rookery's.

What does: stream: TCP or TLS · connection: reads, writes, watches · presence: are we ready · client: stays connected
and speaks · plugin: the component and its configuration.
"""
