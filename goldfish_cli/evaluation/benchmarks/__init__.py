"""Sets of questions as they circulate, one a file."""
