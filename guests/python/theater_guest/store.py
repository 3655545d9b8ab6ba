"""Content by hash, with labels: `theater:simple/store`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from theater_guest import interfaces
from theater_guest.errors import HostError


@contextmanager
def _host_errors() -> Iterator[None]:
    try:
        yield
    except interfaces.Err as error:
        raise HostError(error.value) from None


def _ref(digest: str) -> interfaces.StoreRef:
    ref: interfaces.StoreRef = interfaces.store.ContentRef(hash=digest)
    return ref


@dataclass(frozen=True)
class Store:
    """A store by its id, to be kept among the actor's fields.

    Content is named by its SHA-256, 64 lower-case hexadecimal digits. Every method raises HostError
    with the host's code, `permission.denied` for a store that is not the actor's.
    """

    id: str

    @classmethod
    def new(cls) -> Store:
        """Create a store."""
        with _host_errors():
            return cls(interfaces.store.new())

    def put(self, content: bytes, *, label: str | None = None) -> str:
        """Keep content and return its hash; with `label`, add it to that label in the same step."""
        with _host_errors():
            if label is None:
                return interfaces.store.store(self.id, content).hash
            return interfaces.store.store_at_label(self.id, label, content).hash

    def get(self, digest: str) -> bytes:
        """The content of a hash."""
        with _host_errors():
            return interfaces.store.get(self.id, _ref(digest))

    def exists(self, digest: str) -> bool:
        """Whether content is there."""
        with _host_errors():
            return interfaces.store.exists(self.id, _ref(digest))

    def label(self, label: str, digest: str) -> None:
        """Add content to a label, after what it already has."""
        with _host_errors():
            interfaces.store.label(self.id, label, _ref(digest))

    def labelled(self, label: str) -> str | None:
        """The hash most recently added to a label, None if there is no such label."""
        with _host_errors():
            ref = interfaces.store.get_by_label(self.id, label)
        return None if ref is None else ref.hash

    def read(self, label: str) -> bytes | None:
        """The content most recently added to a label, None if there is no such label."""
        digest = self.labelled(label)
        return None if digest is None else self.get(digest)

    def write(self, label: str, content: bytes) -> str:
        """Keep content as the only one of a label, atomically; returns its hash."""
        with _host_errors():
            return interfaces.store.replace_content_at_label(self.id, label, content).hash

    def relabel(self, label: str, digest: str) -> None:
        """Make content the only one of a label, atomically."""
        with _host_errors():
            interfaces.store.replace_at_label(self.id, label, _ref(digest))

    def unlabel(self, label: str, digest: str | None = None) -> None:
        """Take one hash off a label, or without one delete the label. The content stays."""
        with _host_errors():
            if digest is None:
                interfaces.store.remove_label(self.id, label)
            else:
                interfaces.store.remove_from_label(self.id, label, _ref(digest))

    def labels(self) -> list[str]:
        """All labels, sorted."""
        with _host_errors():
            return interfaces.store.list_labels(self.id)

    def contents(self) -> list[str]:
        """The hashes of all content, sorted."""
        with _host_errors():
            return [ref.hash for ref in interfaces.store.list_all_content(self.id)]

    def size(self) -> int:
        """Bytes of all distinct content, each counted once."""
        with _host_errors():
            return interfaces.store.calculate_total_size(self.id)
