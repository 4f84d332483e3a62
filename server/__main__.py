"""The `medconnect` command, also run by `python -m server`."""

import gc
import sys


def main() -> None:
    """Runs the command; the probe `health` without loading the service, which takes a second of CPU time."""
    if sys.argv[1:2] == ["health"]:
        from server.cli.health import main as run
    else:
        # Modules are never garbage: garbage collections would take a quarter of the time in which they load, and later
        # ones would walk through all of them again and again.
        gc.disable()
        from server.cli.commands import main as run

        gc.freeze()
        gc.enable()
    run()


if __name__ == "__main__":
    main()
