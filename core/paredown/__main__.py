"""`python -m paredown` is the `paredown` command."""

from paredown.cli import main

main()
