"""The discrete interface: macro-moves and features over the same text game (docs/discrete.md)."""
