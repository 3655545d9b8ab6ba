"""Content by hash, under labels, in stores of the actor's own."""
