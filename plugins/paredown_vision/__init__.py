"""What vision needs, through the public hooks: tasks, and two real datasets."""
