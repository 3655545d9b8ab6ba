"""Futures of other threads, awaited: in batches, and none lost."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest

from theater.errors import NotFound, Unavailable
from theater.server.bridge import Bridge


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts how often other threads wake it."""

    wakes = 0

    def call_soon_threadsafe(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.wakes += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def run(main):  # type: ignore[no-untyped-def]
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        return runner.run(main())


def test_results_and_errors_of_another_thread_arrive() -> None:
    async def main() -> None:
        bridge = Bridge(asyncio.get_running_loop())
        good: Future[int] = Future()
        bad: Future[int] = Future()
        threading.Timer(
            0.01, lambda: (good.set_result(7), bad.set_exception(NotFound("x")))
        ).start()
        assert await bridge.result(good) == 7
        with pytest.raises(NotFound):
            await bridge.result(bad)

    run(main)


def test_what_is_done_already_does_not_wait() -> None:
    async def main() -> int:
        done: Future[int] = Future()
        done.set_result(1)
        return await Bridge(asyncio.get_running_loop()).result(done)

    assert run(main) == 1


def test_a_batch_of_completions_wakes_the_loop_once() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, CountingLoop)
        bridge = Bridge(loop)
        futures: list[Future[int]] = [Future() for _ in range(100)]
        waiting = [asyncio.ensure_future(bridge.result(each)) for each in futures]
        await asyncio.sleep(0)

        def complete() -> None:
            for number, each in enumerate(futures):
                each.set_result(number)

        # The loop is held while the other thread completes them: all of them are one batch.
        before = loop.wakes
        thread = threading.Thread(target=complete)
        thread.start()
        thread.join()
        assert await asyncio.gather(*waiting) == list(range(100))
        return loop.wakes - before

    assert run(main) == 1


def test_nothing_is_lost_between_many_threads() -> None:
    async def main() -> int:
        bridge = Bridge(asyncio.get_running_loop())
        futures: list[Future[int]] = [Future() for _ in range(2000)]

        def complete(part: list[Future[int]]) -> None:
            for each in part:
                each.set_result(1)

        threads = [threading.Thread(target=complete, args=(futures[n::4],)) for n in range(4)]
        waiting = [asyncio.ensure_future(bridge.result(each)) for each in futures]
        for thread in threads:
            thread.start()
        async with asyncio.timeout(20):
            return sum(await asyncio.gather(*waiting))

    assert run(main) == 2000


def test_closing_answers_everyone_who_waits_and_everyone_who_comes() -> None:
    async def main() -> None:
        bridge = Bridge(asyncio.get_running_loop())
        never: Future[int] = Future()
        waiting = asyncio.ensure_future(bridge.result(never))
        await asyncio.sleep(0)
        bridge.close()
        for late in (waiting, bridge.result(never)):
            with pytest.raises(Unavailable) as caught:
                await late
            assert caught.value.code == "server.stopping"

    run(main)


def test_a_completion_after_the_loop_is_closed_is_nobodys() -> None:
    late: Future[int] = Future()

    async def main() -> None:
        bridge = Bridge(asyncio.get_running_loop())
        waiting = asyncio.ensure_future(bridge.result(late))
        await asyncio.sleep(0)
        waiting.cancel()

    run(main)
    late.set_result(1)
