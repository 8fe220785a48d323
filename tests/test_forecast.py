"""The forecast, on curves whose truth is known."""

import numpy as np
import pytest
from newsmark.training.forecast import Forecast, fit_curves, forecast_curve
from newsmark.training.metrics import Interval


def curve(size, a=0.9, b=0.8, c=0.5):
    return a - b * np.asarray(size, dtype=float) ** -c


def noisy(sizes, spread, seed, resamples=200, **truth):
    """What was measured and its resamples, which scatter around it as it scatters around the truth."""
    random = np.random.default_rng(seed)
    measured = curve(sizes, **truth) + random.normal(0, spread, len(sizes))
    return np.vstack([measured, measured + random.normal(0, spread, (resamples, len(sizes)))])


def test_an_inverse_power_law_is_found_again():
    sizes = [10, 20, 40, 80]
    [[a, b, c]] = fit_curves(sizes, curve(sizes)[None])
    assert (a, b, c) == pytest.approx((0.9, 0.8, 0.5), abs=1e-6)


def test_a_curve_never_falls_and_ends_at_one_at_most():
    [[_, b, _]] = fit_curves([5, 10, 20], [[0.6, 0.5, 0.4]])
    assert b == 0
    [[a, _, _]] = fit_curves([5, 10, 20], [[0.2, 0.6, 0.99]])
    assert a <= 1


def test_without_noise_the_forecast_is_the_truth():
    sizes = [10, 20, 40]
    found = forecast_curve(sizes, np.repeat(curve(sizes)[None], 20, axis=0))
    assert found.then == pytest.approx(float(curve(50)), abs=1e-6)
    assert found.gain.value == pytest.approx(float(curve(50) - curve(40)), abs=1e-6)


def test_the_interval_holds_the_true_gain_about_as_often_as_it_says():
    sizes, spread = [10, 20, 40], 0.02
    gain = float(curve(50) - curve(40))
    inside = [found.gain.low <= gain <= found.gain.high for seed in range(100) for found in [forecast_curve(sizes, noisy(sizes, spread, seed))]]
    assert sum(inside) >= 80


def test_few_articles_give_a_wide_interval_that_is_said_to_be_wide():
    wide = forecast_curve([2, 4, 8], noisy([2, 4, 8], 0.08, 1))
    assert wide.gain.high - wide.gain.low > 0.05
    assert "With 8 articles that interval is wide" in str(wide)


def test_the_sentences_say_what_to_expect_and_when_to_stop():
    def said(now, then, low, high):
        return str(Forecast((10, 20, 40), (0.5, 0.6, now), 10, now, then, Interval(then - now, low, high)))

    expected = "10 more articles are likely to bring macro F1 from 0.64 to 0.66 (90 %: +0.00 to +0.04). "
    assert said(0.64, 0.66, 0.0, 0.04) == f"{expected}It is worth going on; stop when the expected gain is below 0.01."
    assert "Stop here" in said(0.8, 0.802, -0.005, 0.006)
    assert "may not be worth the time" in said(0.8, 0.805, -0.01, 0.02)
    assert "−0.01 to" in said(0.8, 0.805, -0.01, 0.02)
