"""Classifiers of passages: how they are trained on texts and targets, saved, loaded and asked."""
