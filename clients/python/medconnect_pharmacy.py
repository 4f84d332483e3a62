"""Entry point of `medconnect-pharmacy`. It sets gRPC's log level before gRPC is imported, which reads it only then."""

import os


def main() -> None:
    """Runs the command without gRPC's own log messages."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from medconnect_client.terminal.commands import app

    app()
