"""The `medconnect` command, also run by `python -m server`."""

import sys


def main() -> None:
    """Runs the command; the probe `health` without loading the service, which takes a second of CPU time."""
    if sys.argv[1:2] == ["health"]:
        from server.cli.health import main as run
    else:
        from server.cli.commands import main as run
    run()


if __name__ == "__main__":
    main()
