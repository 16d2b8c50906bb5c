"""Scores one can believe."""
