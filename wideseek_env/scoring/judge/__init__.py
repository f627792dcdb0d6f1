"""A language model's verdict on cells that the rules leave open, for both modes."""
