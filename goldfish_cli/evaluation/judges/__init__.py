"""Who says whether an answer is right: rules without a model, and language models."""
