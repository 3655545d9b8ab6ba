"""How content is named: by a hash that nothing can be guessed from once its salt is gone."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from theater.chain.tip import Ref

CONTENT_TAG: Final = b"theater.content.v1"
SALT_BYTES: Final = 16


def content_digest(salt: bytes, data: bytes) -> bytes:
    """Return the 32 bytes that name content; the salt, 16 bytes, is kept and destroyed with it."""
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 16 bytes")
    digest = sha256(CONTENT_TAG + salt)
    digest.update(data)
    return digest.digest()


def content_ref(salt: bytes, data: bytes) -> Ref:
    """Return what stands in a chain for content."""
    return content_digest(salt, data), len(data)


def plain_digest(data: bytes) -> bytes:
    """Return the SHA-256 by which components and what a guest's own store returns are named."""
    return sha256(data).digest()
