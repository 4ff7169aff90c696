"""What a soak test puts into each shard: work to do, and everything that a plugin can do to its runner."""
