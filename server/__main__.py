"""`python -m server` is the `medconnect` command."""

from server.cli import main

main()
