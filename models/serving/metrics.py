"""The numbers of a server, for Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections import deque
from collections.abc import Callable
from itertools import chain

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ..model import TrainedModel

_DRIFT_WINDOW = 1000
"""Passages whose label rates are compared with the training passages'."""


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("newsmark_requests", "Requests to /invocations, and those that were never whole, by status", ["status"], registry=self.registry)
        self.seconds = Histogram("newsmark_request_seconds", "Time to answer a request to /invocations", registry=self.registry)
        self.under_way = Gauge("newsmark_requests_under_way", "Requests that wait or are worked on", registry=self.registry)
        self.passages = Counter("newsmark_passages", "Passages labelled", registry=self.registry)
        self.labels = Counter("newsmark_labels", "Labels given", ["label"], registry=self.registry)
        self.drift = Gauge(
            "newsmark_label_rate_drift",
            f"Share with the label of the last {_DRIFT_WINDOW} passages by the model's own thresholds, less its share of the passages trained on",
            ["label"],
            registry=self.registry,
        )
        self.model = Gauge("newsmark_model_info", "The model that answers", ["version"], registry=self.registry)
        self.connections = Gauge("newsmark_connections", "Open connections that wait for a whole request, or for its answer", ["for"], registry=self.registry)
        self.dropped = Counter("newsmark_connections_dropped", "Connections that the server closed, by reason", ["reason"], registry=self.registry)
        self._recent: deque[list[str]] = deque()
        self._given: Counts[str] = Counts()  # in the window

    def watch_connections(self, waiting: Callable[[], int], answered: Callable[[], int]) -> None:
        """Read the numbers of connections from functions."""
        self.connections.labels("request").set_function(waiting)
        self.connections.labels("answer").set_function(answered)

    def serve(self, model: TrainedModel) -> None:
        """Begin anew with the labels of another model."""
        self.model.clear()
        self.model.labels(model.version).set(1)
        self._recent.clear()
        self._given.clear()
        self.drift.clear()

    def count(self, labels: list[list[str]], model: TrainedModel, own_thresholds: bool) -> None:
        """Count the labels of the passages that were answered; those given by a request's own threshold say nothing about drift."""
        self.passages.inc(len(labels))
        for label, count in Counts(chain.from_iterable(labels)).items():
            self.labels.labels(label).inc(count)
        if not own_thresholds:
            return
        for given in labels[-_DRIFT_WINDOW:]:
            self._recent.append(given)
            self._given.update(given)
            if len(self._recent) > _DRIFT_WINDOW:
                self._given.subtract(self._recent.popleft())
        for label, rate in zip(model.labels, model.rates, strict=False):
            self.drift.labels(label).set(self._given[label] / max(len(self._recent), 1) - rate)

    def text(self) -> bytes:
        """All numbers in Prometheus' format."""
        return generate_latest(self.registry)
