"""The encoder that a kind of model may begin with: the packaged one or any other, and its vocabulary."""
