"""Routes, inbound acceptance and outbound delivery of messages."""
