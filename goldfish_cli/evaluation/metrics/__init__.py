"""Scores of answers by rule: no model, no network."""
