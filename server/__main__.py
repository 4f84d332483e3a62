"""Makes `python -m server` run the `medconnect` command."""

from server.cli.commands import main

main()
