"""The commands, a module for what belongs together; each is imported only when it is run."""
