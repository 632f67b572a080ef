"""The Paddle backend of paredown."""
