"""CBOR: a CodecError, or an item that has no other encoding and can be shown."""

from __future__ import annotations

import json

from theater.errors import CodecError
from theater.limits import CBOR_DEPTH_MAX
from theater.values import cbor, view


def one(data: bytes) -> None:
    try:
        item = cbor.decode(data)
    except CodecError:
        assert not _skips(data)
        return
    assert cbor.encode(item) == data
    assert _skips(data)
    shown = json.loads(json.dumps(view.view(item)))
    view.item(shown)
    view.text(item)


def _skips(data: bytes) -> bool:
    try:
        return cbor.skip(data, 0, CBOR_DEPTH_MAX) == len(data)
    except CodecError:
        return False
