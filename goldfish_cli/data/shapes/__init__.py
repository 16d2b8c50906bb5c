"""Shapes World: the procedural videos that minnow learns, with exact ground truth."""
