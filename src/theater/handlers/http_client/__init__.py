"""Requests to HTTP servers."""
