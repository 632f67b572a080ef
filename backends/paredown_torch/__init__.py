"""The PyTorch backend. `plugin` is its entry point; everything else imports torch."""
