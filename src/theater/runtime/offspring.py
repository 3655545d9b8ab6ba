"""What an actor names when it starts a child, made into what a node keeps of it.

A manifest that comes from an actor gets no environment, and no files of the node but those beside
its parent's manifest: a path there, a `store://` reference into the parent's own stores, or its text.
The same holds for what it names itself, its component and its initial state; a component may also be
one that the node has already, by `component_sha256`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from theater.chain.content import plain_digest
from theater.errors import ComponentError, NotFound, UsageError
from theater.handlers.store.grant import StoreGrant
from theater.journal.port import Journal
from theater.journal.records import Keep
from theater.limits import COMPONENT_BYTES_MAX, MANIFEST_BYTES_MAX, STATE_BYTES_CEILING
from theater.manifest import parse
from theater.manifest.grants import Grant
from theater.manifest.model import Manifest
from theater.runtime.actor import Actor
from theater.runtime.contained import read_below
from theater.store import Stores

_SCHEME: Final = re.compile(r"[a-z]+://")
_STORED: Final = re.compile(r"store://([^/]+)/(?:hash/([0-9a-f]{64})|(.+))", re.DOTALL)
_PARENTS: Final = "the parent's manifest"


@dataclass(frozen=True, slots=True)
class Offspring:
    """A child as its parent described it. `component` is the digest of one that the node keeps."""

    manifest: Manifest
    component: bytes
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Place:
    """What a parent's names are looked up in: its folder, None if it has none, and its stores."""

    parent: Actor
    folder: Path | None
    grants: Mapping[str, Grant]
    grant_types: Mapping[str, type[Grant]]
    journal: Journal
    stores: Stores

    def manifest(self, named: str) -> Manifest:
        """Read the manifest that a parent names or spells out.

        ManifestError for one that can't be used, UsageError, Denied or NotFound for a name.
        """
        path: Path | None = None
        if is_text(named):
            text = named
        elif _SCHEME.match(named):
            text = _decoded(self._referred(named, "manifest"), named)
        else:
            path, data = read_below(self._folder(), named, MANIFEST_BYTES_MAX, _PARENTS)
            text = _decoded(data, named)
        # Problems name the file as the guest does: where it lies on this machine is not its business.
        said = None if path is None else named
        found = parse(text, grant_types=self.grant_types, path=said)
        return found if path is None else replace(found, path=str(path))

    def component(self, manifest: Manifest) -> bytes:
        """Return the digest of the component that a manifest names, which the journal has then."""
        pinned = manifest.component_sha256
        if pinned is not None and self.journal.has_content(bytes.fromhex(pinned)):
            return bytes.fromhex(pinned)
        wasm = self._read(manifest, manifest.component, COMPONENT_BYTES_MAX, "component")
        digest = plain_digest(wasm)
        if pinned is not None and digest.hex() != pinned:
            raise ComponentError(
                f"the component {manifest.component[:80]} has the SHA-256 {digest.hex()}, but its "
                f"manifest pins {pinned}; write the hash that it has as component_sha256, or take the "
                "line out",
                code="component.pin",
            )
        if not self.journal.has_content(digest):
            self.journal.append((Keep(digest, None, wasm),))
        return digest

    def state(self, manifest: Manifest, given: bytes | None) -> bytes | None:
        """Return the state to begin with: what the parent gave, else the manifest's."""
        named = manifest.initial_state
        if given is not None or named is None:
            return given
        if isinstance(named, bytes):
            return named
        return self._read(manifest, named, STATE_BYTES_CEILING, "state")

    def _read(self, manifest: Manifest, named: str, bytes_max: int, what: str) -> bytes:
        if _SCHEME.match(named):
            return self._referred(named, what)
        # What a manifest names lies beside it, and is the parent's to give only below its own folder.
        if manifest.path is None:
            return read_below(self._folder(), named, bytes_max, _PARENTS)[1]
        return read_below(Path(manifest.path).parent, named, bytes_max, "the child's manifest")[1]

    def _folder(self) -> Path:
        if self.folder is None:
            raise NotFound(
                f"actor {self.parent.id} was started from a manifest that lies nowhere, so no path "
                "is beside it; use a store:// reference, or component_sha256 for the component",
                code="manifest.no_folder",
            )
        return self.folder

    def _referred(self, named: str, what: str) -> bytes:
        match = _STORED.fullmatch(named)
        if match is None:
            raise UsageError(
                f"a {what} that an actor names is a path beside its own manifest or "
                f"store://STORE/LABEL or store://STORE/hash/SHA256, not {named[:80]!r}: the node "
                "fetches nothing from elsewhere for it",
                code=f"{what}.remote",
            )
        store, hash_, label = match.groups()
        found = self.stores.find(store) if self._is_own(store) else None
        digest = None
        if found is not None and hash_ is not None and bytes.fromhex(hash_) in found.contents:
            digest = bytes.fromhex(hash_)
        elif found is not None and label is not None:
            digest = next(reversed(found.references(label)), None)
        data = None if digest is None else self.stores.content(digest)
        if data is None:
            raise NotFound(
                f"there is no {named[:80]} among the stores of actor {self.parent.id}",
                code=f"{what}.not_found",
            )
        return data

    def _is_own(self, store: str) -> bool:
        grant = self.grants.get(StoreGrant.type)
        if not isinstance(grant, StoreGrant):
            return False
        found = self.stores.find(store)
        return store == grant.store_id or (found is not None and found.owner == self.parent.id)


def is_text(named: str) -> bool:
    """Whether what a parent gives is a manifest's text: a name of one has neither lines nor `=`."""
    return _SCHEME.match(named) is None and ("\n" in named or "=" in named)


def _decoded(data: bytes, named: str) -> str:
    if len(data) > MANIFEST_BYTES_MAX:
        raise UsageError(
            f"a manifest has at most {MANIFEST_BYTES_MAX} bytes", code="manifest.too_large"
        )
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{named[:80]!r} is not UTF-8", code="manifest.invalid") from None
