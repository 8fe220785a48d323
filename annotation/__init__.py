"""Documents, passages and annotations: what goes into newsmark and what people say about it."""
