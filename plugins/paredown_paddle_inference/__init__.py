"""Paddle Inference as a place to run deployed files, through the public hooks only."""
