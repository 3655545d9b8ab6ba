"""What entropy promises, seen through the public names of its layer (runtime)."""

from __future__ import annotations

import threading

from theater.runtime.entropy import PIECE_BYTES, POOL_PIECES, RandomPool


def test_every_byte_that_was_drawn_is_handed_out_at_most_once() -> None:
    draws: list[bytes] = []

    def draw(length: int) -> bytes:
        first = len(draws) * POOL_PIECES
        numbers = range(first, first + length // PIECE_BYTES)
        draws.append(b"".join(number.to_bytes(PIECE_BYTES, "big") for number in numbers))
        return draws[-1]

    pool = RandomPool(draw)
    taken = [pool.take(PIECE_BYTES) for _ in range(3 * POOL_PIECES)]
    assert len(draws) == 3
    assert b"".join(sorted(taken)) == b"".join(draws)


def test_threads_never_share_bytes() -> None:
    lock, state = threading.Lock(), [0]

    def draw(length: int) -> bytes:
        with lock:
            state[0] += 1
            base = state[0] << 20
        return b"".join((base + i).to_bytes(4, "big") for i in range(length // 4))

    pool = RandomPool(draw)
    seen: list[bytes] = []

    def take() -> None:
        mine = [pool.take(16) for _ in range(2000)]
        with lock:
            seen.extend(mine)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == len(seen) == 8000


def test_other_lengths_are_drawn_directly() -> None:
    pool = RandomPool(bytes)
    assert len(pool.take(PIECE_BYTES * POOL_PIECES + 1)) == PIECE_BYTES * POOL_PIECES + 1
    assert len(pool.take(1)) == 1
