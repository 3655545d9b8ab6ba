"""Doubles and layers for tests, of Theater and of those who build on it."""
