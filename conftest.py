"""What must stand before anything imports gRPC.

Its handlers around fork() break a child that is made while channels are open (one in three dies of signal 11 before
it runs its program). Only a child that changes its account is forked: the embedded database of root, whom some tests
start beside an instance. A server starts its database first, and gRPC after it.
"""

import os

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
