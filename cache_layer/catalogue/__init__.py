"""The caches, one file each: what is kept, for how long, and when it must no longer be believed."""
