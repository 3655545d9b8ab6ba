"""Guests' stores: content by hash under labels, held in memory while used, kept by the journal."""

from theater.store.guest_store import GuestStore
from theater.store.stores import Change, Stores

__all__ = ["Change", "GuestStore", "Stores"]
