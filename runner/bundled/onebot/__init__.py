"""A OneBot v11 client as a gateway, over WebSockets in either direction.

What decides knows no clock and no socket: cqcode: texts with codes in them · frame: what a frame of the platform means ·
incoming, outgoing: the platform's segments and rookery's · notice: what is no message and becomes one · answers: which
answer belongs to which action · pace: how long to wait · settings: what has to be known.

What does: connection: one WebSocket, one reader, one writer · dialling: we connect, again and again · listening: the
platform connects to us · client: is there an account, and what is said by it ·
plugin: the component and its configuration.
"""
