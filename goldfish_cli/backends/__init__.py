"""Three ways to be a video language model: native, Transformers, server."""
