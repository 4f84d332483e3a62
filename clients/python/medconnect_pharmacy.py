"""Where `medconnect-pharmacy` begins: gRPC reads how much it shall log when it is imported, so that is said before."""

import os


def main() -> None:
    """Run the command; gRPC's own log stays out of the pharmacist's sight."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from medconnect_client.terminal.commands import app

    app()
