"""Serving a model over HTTP, behind limits."""
