"""`python -m server` is the `medconnect` command."""

from server.cli.commands import main

main()
