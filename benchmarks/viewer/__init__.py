"""The viewer: every episode of a run in a browser, each cell with what became of it."""
