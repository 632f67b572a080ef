"""A comparison, for people: a table in the terminal and one self-contained HTML page."""
