"""What actors may call: one folder an interface, each with its .wit, its handler and its grant."""
