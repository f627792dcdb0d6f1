"""The main job: policies against each other at equal budget, by width and depth."""
