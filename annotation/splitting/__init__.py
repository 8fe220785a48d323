"""Texts into passages."""
