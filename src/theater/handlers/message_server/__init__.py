"""Messages between actors: send, request and channels."""
