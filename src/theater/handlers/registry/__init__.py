"""Names for actors, each with one living holder."""
