"""The transformer: a fine-tuned multilingual encoder."""
