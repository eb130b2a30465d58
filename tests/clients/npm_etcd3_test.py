"""The etcd3 client of npm."""

import os
import shutil
import sys
import tempfile
import unittest

from cluster import Cluster, need, run

need("node", "npm")

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm")
PARTS = ["keys", "transactions", "watches", "leases", "locks", "elections", "maintenance"]


class NpmEtcd3(unittest.TestCase):
    def test_client(self):
        folder = tempfile.mkdtemp(prefix="quorumd-npm-")
        cluster = Cluster("npm")
        good = False
        try:
            for name in os.listdir(HERE):
                shutil.copy(os.path.join(HERE, name), folder)
            got = run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder], check=False,
                      timeout=240)
            if got.returncode != 0:
                print(f"npm cannot fetch the client: {got.stderr}")
                good = True
                sys.exit(77)
            said = run(["node", os.path.join(folder, "client.js"), cluster.endpoints()]).stdout
            self.assertEqual(said.splitlines(), [f"{part}: good" for part in PARTS])
            good = True
        finally:
            cluster.close(failed=not good)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
