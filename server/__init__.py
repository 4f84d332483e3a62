"""The MedConnect server: four gRPC services on PostgreSQL, their mail worker and their REST edge."""

import os

# gRPC's own lines quote what callers say, line breaks included, and it asks only when it is loaded: before all others.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# Its handlers around fork() break a child that changes its account, such as the database that root restarts.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
