"""Decides which plugin sits in which shard."""
