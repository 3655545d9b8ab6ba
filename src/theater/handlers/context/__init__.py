"""What an actor may ask about the message in its hands and about itself."""
