"""Events, the hash over them, the shapes of their data, verification, and the files. Pure."""
