"""Annotations of other tools: one file per format, and ``kinds`` lists them."""
