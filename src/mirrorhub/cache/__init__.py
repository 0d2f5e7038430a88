"""What lies in the caches, whether it is right, and making room: what `mirrorhub cache` does, without a terminal."""
