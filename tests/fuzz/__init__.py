"""Bytes that nobody should send: how they are made, what must hold for each of them, and a command that does it for hours.

targets: what must hold · corpus: honest input to begin with · msgpack_tokens: where a value begins and ends ·
mutations: from honest to strange · search: from a seed to a verdict · guided: the same under Atheris.
"""
