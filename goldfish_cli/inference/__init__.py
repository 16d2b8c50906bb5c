"""One clip and questions in, answers out."""
