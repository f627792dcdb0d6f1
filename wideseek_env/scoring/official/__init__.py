"""WideSearch's own scorer, to the last digit."""
