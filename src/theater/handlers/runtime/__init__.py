"""The interface of the runtime itself: log, chain, shutdown."""
