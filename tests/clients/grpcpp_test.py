"""gRPC's C++ library (grpcpp_client.cpp)."""

import os
import sys
import unittest

from cluster import ClusterTest, run

CLIENT = os.environ.get("GRPCPP_CLIENT", "")
if not os.path.exists(CLIENT):
    print("libgrpc++-dev was not on this machine when this was built")
    sys.exit(77)


class GrpcCpp(ClusterTest):
    def test_client(self):
        for i in range(3):
            self.assertEqual(run([CLIENT, self.cluster.client(i)]).stdout, "good\n")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
