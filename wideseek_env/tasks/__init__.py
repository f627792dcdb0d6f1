"""Tasks from data: benchmarks, and tables of real pages."""
