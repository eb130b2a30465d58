"""etcd's Go library, and its gateway and grpc-proxy in front of the cluster."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import Cluster, eventually, free_port, need, run

need("go", "etcd", "etcdctl")
if not os.path.isdir("/usr/share/gocode/src/go.etcd.io/etcd/clientv3"):
    print("golang-etcd-server-dev is not on this machine")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))


class GoClientv3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="quorumd-go-")
        cls.program = os.path.join(cls.folder, "clientv3")
        cache = os.environ.get("GOCACHE") or os.path.join(cls.folder, "cache")
        run(["go", "build", "-o", cls.program, os.path.join(HERE, "go", "clientv3.go")], timeout=280,
            env={"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOCACHE": cache})

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.cluster = Cluster("go")
        self.good = False

    def tearDown(self):
        self.cluster.close(failed=not self.good)

    def started(self, *words):
        return subprocess.Popen([self.program, self.cluster.endpoints(), *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def outcome(self, process):
        out, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, errors)
        return out.split()

    def lose_leaders(self, process):
        """One after the other, as long as the program runs."""
        lost = 0
        while process.poll() is None and lost < 3:
            time.sleep(1)
            leader = self.cluster.leader()
            self.cluster.kill(leader)
            lost += 1
            time.sleep(1)
            self.cluster.start(leader)
            eventually(lambda n=leader: self.cluster.healthy(n))
        self.assertGreater(lost, 0)

    def test_transactions(self):
        program = self.started("accounts", "8")
        self.lose_leaders(program)
        said = self.outcome(program)
        self.assertEqual(said[4:], ["sum", "1000"])
        self.assertGreater(int(said[1]), 100)
        self.good = True

    def test_mutex(self):
        program = self.started("counter", "200")
        self.lose_leaders(program)
        self.assertEqual(self.outcome(program), ["counted", "1000", "of", "1000"])
        self.good = True

    def test_elections(self):
        said = run([self.program, self.cluster.endpoints(), "elections", "0"]).stdout.splitlines()
        self.assertEqual(said[0], "leads three")
        self.assertEqual(said[-1], "seen three")
        self.good = True

    def test_watches(self):
        program = self.started("watches", "3000")
        self.lose_leaders(program)
        self.assertEqual(self.outcome(program), ["watched", "3000"])
        self.good = True

    def test_proxies(self):
        for kind in (["gateway", "start"], ["grpc-proxy", "start"]):
            port = free_port(self.cluster.ip)
            at = f"{self.cluster.ip}:{port}"
            proxy = subprocess.Popen(["etcd", *kind, "--endpoints", self.cluster.endpoints(), "--listen-addr", at],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)
            try:
                def ctl(*words, place=at):
                    return run(["etcdctl", "--endpoints", place, *words], env={"ETCDCTL_API": "3"}).stdout
                eventually(lambda: ctl("put", "proxied", kind[0]) == "OK\n")
                self.assertEqual(ctl("get", "proxied", "--print-value-only"), kind[0] + "\n")
                self.assertEqual(ctl("get", "proxied", "--print-value-only", place=self.cluster.client(1)),
                                 kind[0] + "\n")
                with subprocess.Popen(["etcdctl", "--endpoints", at, "watch", "seen"], stdout=subprocess.PIPE,
                                      text=True, env={**os.environ, "ETCDCTL_API": "3"}) as watch:
                    time.sleep(1)
                    ctl("put", "seen", "1")
                    self.assertEqual([watch.stdout.readline() for _ in range(3)], ["PUT\n", "seen\n", "1\n"])
                    watch.kill()
                lease = ctl("lease", "grant", "60").split()[1]
                self.assertIn("keepalived", ctl("lease", "keep-alive", "--once", lease))
            finally:
                proxy.kill()
                proxy.wait()
        self.good = True


if __name__ == "__main__":
    unittest.main(warnings="ignore")
