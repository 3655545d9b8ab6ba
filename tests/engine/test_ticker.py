"""The epoch's thread never touches an engine that is gone."""

from __future__ import annotations

import gc
import weakref

from theater.engine import Engine
from theater.engine.ticker import TICKER


def test_an_engine_that_was_never_closed_is_kept_alive_as_long_as_its_epoch_advances(tmp_path):
    engine = Engine(tmp_path)
    library_engine = weakref.ref(engine._engine)
    address = engine.address
    del engine
    gc.collect()
    assert library_engine() is not None
    TICKER.leave(address)
    gc.collect()
    assert library_engine() is None
