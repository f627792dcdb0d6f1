"""HTML as agents read it: bytes to a tree, tables to rows, a page to text."""
