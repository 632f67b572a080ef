"""Who teaches in a distillation, and what a student is given to learn from."""
