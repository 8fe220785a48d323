"""Concurrent requests share runs of the model, and the work on each stops when its time is over."""

import asyncio
import json
import threading
import time
from contextvars import copy_context

import numpy as np
import pytest
from newsmark.models.calibration import Calibration
from newsmark.models.classifier import Embeds, EmbedsTokens, TokenVectors
from newsmark.models.model import TrainedModel
from newsmark.models.prediction.deadline import DEADLINE, STEP, InSteps, OutOfTimeError, check_deadline
from newsmark.models.prediction.predict import TooManyPassagesError
from newsmark.models.prediction.schema import Input, LabelAnswer, LabelRequest, Params
from newsmark.models.serving import batching
from newsmark.models.serving.batching import Batcher, ModelFailedError


class Slow:
    """A classifier that waits for a sign before it answers (but for one text), and remembers what it was given."""

    def __init__(self):
        self.asked, self.go = [], threading.Semaphore(0)

    def scores(self, texts):
        self.asked.append(list(texts))
        assert texts == ["at once"] or self.go.acquire(timeout=10)
        if "bad" in texts:
            raise ValueError("bad text")
        return np.array([[len(text) / 100] for text in texts])

    def let(self, runs):
        for _ in range(runs):
            self.go.release()


@pytest.fixture
def slow():
    one = Slow()
    yield one
    one.let(1000)


@pytest.fixture
def batcher(slow, monkeypatch):
    """A model that answers when the test lets it, on one core."""
    monkeypatch.setattr(batching, "CORES", 1)
    return Batcher(TrainedModel("baseline", ("quote",), frozenset(), (Calibration(),), slow, (), "baseline-1"), passages=1000)


def label(batcher, *texts, threshold=None, split=False, seconds=10.0):
    asked = LabelRequest(inputs=[Input(text=text) for text in texts], params=Params(threshold=threshold, split=split))
    return asyncio.create_task(batcher.label(asked, time.monotonic() + seconds))


async def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.001)


def texts_of(answer):
    predictions = LabelAnswer.model_validate_json(answer.body).predictions
    return [passage.text for one in predictions for passage in one.passages]


def test_requests_that_wait_share_a_run_and_each_gets_its_own_answer(batcher, slow):
    async def ask():
        first = label(batcher, "first")
        await until(lambda: slow.asked)
        others = [label(batcher, *(f"{number} {place}" for place in range(number))) for number in range(1, 11)]
        await asyncio.sleep(0.01)
        slow.let(2)
        assert texts_of(await first) == ["first"]
        for number, other in enumerate(others, start=1):
            assert texts_of(await other) == [f"{number} {place}" for place in range(number)]

    asyncio.run(ask())
    assert [len(texts) for texts in slow.asked] == [1, 55]


def test_requests_with_other_parameters_have_other_runs(batcher, slow):
    async def ask():
        first = label(batcher, "first")
        await until(lambda: slow.asked)
        others = [label(batcher, f"{number}", threshold=0.005 * (number % 2)) for number in range(4)]
        await asyncio.sleep(0.01)
        slow.let(3)
        await first
        return [answer.labels for answer in await asyncio.gather(*others)]

    assert asyncio.run(ask()) == [[["quote"]]] * 4
    assert slow.asked == [["first"], ["0", "2"], ["1", "3"]]


def test_spans_are_in_the_answer_only_where_they_are_asked_for(batcher, slow):
    async def ask(spans):
        asked = LabelRequest(inputs=[Input(text="a" * 60 + ".")], params=Params(split=False, spans=spans))
        slow.let(1)
        return json.loads((await batcher.label(asked, time.monotonic() + 10)).body)["predictions"][0]["passages"][0]

    assert asyncio.run(ask(True))["spans"] == [{"start": 0, "end": 61, "label": "quote", "score": 0.61, "kind": None}]
    assert "spans" not in asyncio.run(ask(False))


def test_a_large_request_does_not_hold_up_a_small_one(batcher, slow):
    async def ask():
        large = label(batcher, *(f"{number}" + "a" * 200 for number in range(3 * STEP)))
        await until(lambda: slow.asked)
        assert texts_of(await label(batcher, "at once")) == ["at once"]
        assert not large.done()
        slow.let(10)
        assert len(texts_of(await large)) == 3 * STEP

    asyncio.run(ask())


@pytest.mark.parametrize("length", [1, 200])
def test_work_whose_time_is_over_is_stopped(batcher, slow, length):
    async def ask():
        late = label(batcher, *(f"{number}" + "a" * length for number in range(3 * STEP)), seconds=0.05)
        await until(lambda: slow.asked)
        waits = label(batcher, "waits", seconds=0.05)
        await asyncio.sleep(0.1)
        slow.let(2)
        for one in (late, waits):
            with pytest.raises(OutOfTimeError):
                await one
        slow.let(2)
        assert texts_of(await label(batcher, "after")) == ["after"]

    asyncio.run(ask())
    assert sum(len(texts) == STEP for texts in slow.asked) == 1


def test_a_request_that_fails_takes_nobody_else_with_it(batcher, slow):
    async def ask():
        first = label(batcher, "first")
        await until(lambda: slow.asked)
        others = [label(batcher, text) for text in ("good", "bad", "fine")]
        await asyncio.sleep(0.01)
        slow.let(10)
        await first
        good, bad, fine = await asyncio.gather(*others, return_exceptions=True)
        assert texts_of(good) + texts_of(fine) == ["good", "fine"]
        assert isinstance(bad, ModelFailedError)
        assert texts_of(await label(batcher, "after")) == ["after"]

    asyncio.run(ask())


def test_more_passages_than_allowed_are_refused_before_the_model_works(batcher, slow):
    async def ask():
        for texts in (["a\n" * 1001], ["a\n" * 501] * 2):
            with pytest.raises(TooManyPassagesError):
                await label(batcher, *texts, split=True)
        with pytest.raises(TooManyPassagesError):
            await label(batcher, *["a"] * 1001)

    asyncio.run(ask())
    assert slow.asked == []


def test_an_answer_comes_in_time_even_where_the_model_does_not(batcher, slow):
    async def ask():
        for text in ("small", "large" * 5000):
            with pytest.raises(OutOfTimeError):
                await label(batcher, text, seconds=0.05)
        slow.let(2)

    asyncio.run(ask())


def test_nothing_is_done_for_who_has_gone(batcher, slow):
    async def ask():
        first = label(batcher, "first")
        await until(lambda: slow.asked)
        gone = label(batcher, "gone")
        await asyncio.sleep(0.01)
        gone.cancel()
        slow.let(2)
        await first
        assert texts_of(await label(batcher, "after")) == ["after"]

    asyncio.run(ask())
    assert slow.asked == [["first"], ["after"]]


def test_steps_give_each_passage_its_own_scores(slow):
    slow.let(100)
    for size in (0, 1, 3, STEP, STEP + 1, 3 * STEP + 5):
        texts = ["a" * (7 * number % 90) for number in range(size)]
        found = InSteps(slow).scores(texts)
        assert [round(row[0] * 100) for row in found] == [len(text) for text in texts]
    assert max(map(len, slow.asked)) == STEP


def test_steps_make_the_vectors_that_the_classifier_makes_and_none_that_it_does_not():
    class Makes(Slow):
        def vectors(self, texts):
            return np.array([[len(text), 1.0] for text in texts]).reshape(-1, 2)

        def token_vectors(self, texts):
            return [TokenVectors(np.array([[0, len(text)]]), np.ones((1, 3), np.float32)) for text in texts]

    assert not isinstance(InSteps(Slow()), Embeds)
    assert not isinstance(InSteps(Slow()), EmbedsTokens)
    made = InSteps(Makes())
    assert isinstance(made, Embeds)
    assert isinstance(made, EmbedsTokens)
    for size in (0, 1, 2 * STEP + 3):
        texts = ["a" * number for number in range(size)]
        assert made.vectors(texts).tolist() == [[number, 1] for number in range(size)]
        assert [one.places.tolist() for one in made.token_vectors(texts)] == [[[0, number]] for number in range(size)]
    with pytest.raises(OutOfTimeError):
        copy_context().run(lambda: (DEADLINE.set(time.monotonic() - 1), made.vectors(["a"])))


def test_a_deadline_is_checked():
    check_deadline()
    with pytest.raises(OutOfTimeError):
        copy_context().run(lambda: (DEADLINE.set(time.monotonic() - 1), check_deadline()))


def test_a_classifier_that_works_in_steps_knows_which_texts_it_cuts_off():
    class ReadsFive(Slow):
        def truncates(self, texts):
            return [len(text) > 5 for text in texts]

    assert InSteps(ReadsFive()).truncates(["short", "too long"]) == [False, True]
    assert InSteps(ReadsFive()).truncates(["short", "too long"] * STEP) == [False, True] * STEP
    with pytest.raises(OutOfTimeError):
        copy_context().run(lambda: (DEADLINE.set(time.monotonic() - 1), InSteps(ReadsFive()).truncates(["short"])))
    assert InSteps(Slow()).truncates(["short", "too long"]) == [False, False]
