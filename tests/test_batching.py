"""Concurrent callers share batches, in turn, and are let go when their time is over."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest

from annotation.errors import NewsmarkError
from models.batching import BATCH, DEADLINE, Batching, OutOfTimeError, check_deadline


class Slow:
    """A classifier that waits for a sign before each batch, and remembers what it was given."""

    def __init__(self):
        self.asked, self.go = [], threading.Semaphore(0)

    def scores(self, texts):
        self.asked.append(list(texts))
        assert self.go.acquire(timeout=10)
        if "bad" in texts:
            raise NewsmarkError("bad text")
        return np.array([[len(text), 1.0] for text in texts])

    def let(self, batches):
        for _ in range(batches):
            self.go.release()


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def batching(slow):
    one = Batching(slow)
    yield one
    slow.let(1000)
    one.close()


@pytest.fixture
def callers():
    with ThreadPoolExecutor(20) as pool:
        yield pool


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_each_caller_gets_its_own_scores_in_its_order(batching, slow, callers):
    texts = [["a" * (7 * number % 90) for number in range(size)] for size in (1, 3, 200, 64, 65)]
    slow.let(100)
    for one, found in zip(texts, callers.map(batching.scores, texts), strict=True):
        assert found[:, 0].tolist() == [len(text) for text in one]


def test_callers_that_wait_share_a_batch(batching, slow, callers):
    first = callers.submit(batching.scores, ["first"])
    until(lambda: slow.asked)
    others = [callers.submit(batching.scores, [f"other {number}"]) for number in range(10)]
    until(lambda: len(batching._waiting) == 10)
    slow.let(2)
    assert first.result(10).shape == (1, 2)
    assert all(one.result(10).shape == (1, 2) for one in others)
    assert [len(batch) for batch in slow.asked] == [1, 10]


def test_a_long_article_does_not_hold_up_a_short_one(batching, slow, callers):
    long = callers.submit(batching.scores, ["long"] * (5 * BATCH))
    until(lambda: slow.asked)
    short = callers.submit(batching.scores, ["short"])
    until(lambda: len(batching._waiting) == 2)
    slow.let(3)
    assert short.result(10).shape == (1, 2)
    assert not long.done()
    slow.let(10)
    assert long.result(10).shape == (5 * BATCH, 2)


def ask_within(seconds, batching, texts):
    def ask():
        DEADLINE.set(time.monotonic() + seconds)
        return batching.scores(texts)

    return copy_context().run(ask)


def test_work_whose_time_is_over_is_not_begun(batching, slow, callers):
    with pytest.raises(OutOfTimeError):
        ask_within(0.05, batching, ["late"] * (3 * BATCH))
    slow.let(1)
    after = callers.submit(batching.scores, ["after"])
    until(lambda: len(slow.asked) == 2)
    slow.let(1)
    assert after.result(10).shape == (1, 2)
    assert [len(batch) for batch in slow.asked] == [BATCH, 1]


def test_an_error_reaches_those_in_the_batch_and_nobody_else(batching, slow, callers):
    bad = callers.submit(batching.scores, ["bad"])
    slow.let(1)
    with pytest.raises(NewsmarkError, match="bad text"):
        bad.result(10)
    slow.let(1)
    assert batching.scores(["good"]).shape == (1, 2)


def test_a_closed_one_takes_no_more(slow):
    one = Batching(slow)
    one.close()
    with pytest.raises(NewsmarkError, match="closed"):
        one.scores(["late"])


def test_a_deadline_is_checked():
    check_deadline()
    with pytest.raises(OutOfTimeError):
        copy_context().run(lambda: (DEADLINE.set(time.monotonic() - 1), check_deadline()))
