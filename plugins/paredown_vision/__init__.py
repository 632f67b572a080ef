"""What image classification needs, through the public hooks: the task, and two real datasets."""
