"""Labelling passages: the rows read and written, and where they are labelled."""
