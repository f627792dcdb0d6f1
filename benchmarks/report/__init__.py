"""What a run looks like: charts, a page, episodes turn by turn."""
