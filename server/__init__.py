"""The MedConnect server: five gRPC services on PostgreSQL, their email worker and their REST edge."""

import os

# gRPC's own log lines quote request data, line breaks included, and gRPC reads this variable only when it is loaded.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# gRPC's fork() handlers break a child that changes its account, such as the database that root restarts.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
