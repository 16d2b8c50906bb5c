"""The native video language model: encoder, projector, language model, checkpoints."""
