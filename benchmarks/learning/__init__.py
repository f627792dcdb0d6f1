"""What training is worth, with intervals, against scripted policies and controls."""
