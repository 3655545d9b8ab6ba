"""WIT types and values, and their deterministic CBOR both ways. Pure."""
