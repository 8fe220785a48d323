"""The static model: word pieces with fixed vectors, windows of three of them, and a linear layer."""
