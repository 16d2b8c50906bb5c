"""Annotations in; checked samples and batches out. Knows no model."""
