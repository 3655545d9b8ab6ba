"""Requests to HTTP servers."""

from theater.handlers.http_client.grant import HttpClientGrant
from theater.handlers.http_client.handler import HttpClientHandler

__all__ = ["HttpClientGrant", "HttpClientHandler"]
