"""Commitments as records: who binds itself to do what, by when, and how much."""
