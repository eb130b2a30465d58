"""curl, nghttp and h2load: HTTP/1.1 and HTTP/2 of people and their scripts."""

import base64
import json
import os
import shutil
import subprocess
import time
import unittest

from cluster import QUORUMD, Cluster, ClusterTest, eventually, free_port, need, run

need("curl", "nghttp", "h2load")


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Http(ClusterTest):
    def url(self, path, i=0):
        return f"http://{self.cluster.client(i)}{path}"

    def post(self, path, request, *options):
        said = run(["curl", "-s", *options, "-d", json.dumps(request), self.url(path)]).stdout
        return json.loads(said)

    def test_curl(self):
        for options in ([], ["--http2-prior-knowledge"], ["--http1.0"], ["-H", "Expect: 100-continue"]):
            put = self.post("/v3/kv/put", {"key": b64("a"), "value": b64("1")}, *options)
            got = self.post("/v3/kv/range", {"key": b64("a")}, *options)
            self.assertEqual(got["kvs"][0]["mod_revision"], put["header"]["revision"])
            self.assertEqual(self.post("/v3/kv/range", {}, *options)["code"], 3)
        self.assertEqual(run(["curl", "-s", self.url("/health")]).stdout, '{"health":"true","reason":""}')
        both = run(["curl", "-s", self.url("/version"), self.url("/livez")]).stdout
        self.assertEqual(both, '{"etcdserver":"3.5.21","etcdcluster":"3.5.0"}ok')
        watched = run(["curl", "-s", "-N", "--max-time", "2", "-d",
                       json.dumps({"create_request": {"key": b64("a"), "start_revision": 1}}), self.url("/v3/watch")],
                      check=False)
        self.assertEqual(watched.returncode, 28)  # it would go on
        self.assertEqual(len(watched.stdout.splitlines()), 2)

    def test_profiles_are_off(self):
        said = run(["curl", "-s", "-w", "%{http_code}", self.url("/debug/pprof/profile?seconds=1")]).stdout
        self.assertIn("http.pprof=true", said)
        self.assertTrue(said.endswith("404"), said)

    def test_nghttp(self):
        body = os.path.join(self.cluster.folder, "body.json")
        with open(body, "w", encoding="utf-8") as out:
            out.write(json.dumps({"key": b64("n"), "value": b64("1")}))
        said = run(["nghttp", "-d", body, "-H", "content-type: application/json", self.url("/v3/kv/put")]).stdout
        self.assertIn('"revision"', said)
        refused = run(["nghttp", "-v", self.url("/v3/kv/put")]).stdout
        self.assertIn(":status: 405", refused)

    def test_h2load(self):
        body = os.path.join(self.cluster.folder, "put")
        message = b"\n\x04load" + b"\x12\x05value"
        with open(body, "wb") as out:
            out.write(b"\0" + len(message).to_bytes(4, "big") + message)
        said = run(["h2load", "-n", "20000", "-c", "20", "-m", "10", "-d", body, "-H", "content-type: application/grpc",
                    "-H", "te: trailers", self.url("/etcdserverpb.KV/Put")]).stdout
        self.assertIn("20000 succeeded, 0 failed, 0 errored", said)
        count = self.post("/v3/kv/range", {"key": b64("load")})
        self.assertEqual(count["kvs"][0]["version"], "20000")


class Profiles(unittest.TestCase):
    """/debug/pprof on the client port, and at listen.metrics."""

    def setUp(self):
        self.watched = f"127.0.0.1:{free_port('127.0.0.1')}"
        self.cluster = Cluster("pprof", nodes=1, settings=("http.pprof=true", f"listen.metrics={self.watched}"))
        self.addCleanup(self.cluster.close)

    def curl(self, at, target, *options):
        return run(["curl", "-s", "-w", "%{http_code}", *options, f"http://{at}/debug/pprof/{target}"]).stdout

    def test_curl(self):
        client = self.cluster.client(0)
        profile = os.path.join(self.cluster.folder, "profile")
        if "made with a sanitizer" in self.curl(client, "profile?seconds=1"):
            self.skipTest("a sanitizer's build has no profiler")
        for at in (client, self.watched):
            self.assertIn("/debug/pprof/heap", self.curl(at, ""))
            self.assertTrue(self.curl(at, "cmdline").replace("\0", " ").split()[1] == "serve")
            load = subprocess.Popen([QUORUMD, "--endpoint", client, "bench", "put", "--total", "10000000"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                for what in ("profile", "heap"):
                    self.assertEqual(self.curl(at, f"{what}?seconds=2", "-o", profile), "200")
                    self.assertGreater(os.path.getsize(profile), 1000)
                    if what == "heap":
                        with open(profile, encoding="utf-8") as text:
                            self.assertTrue(text.read().startswith("heap profile:"))
                    if shutil.which("google-pprof"):
                        self.assertIn("quorumd::", run(["google-pprof", "--text", QUORUMD, profile]).stdout)
            finally:
                load.kill()
                load.wait()
        self.one_at_a_time(client)
        # The symbols are the program's: Go's reader finds it by itself on the node's machine.
        if shutil.which("go"):
            said = run(["go", "tool", "pprof", "-top", f"http://{client}/debug/pprof/heap?seconds=1"],
                       env={"PPROF_TMPDIR": self.cluster.folder}).stdout
            self.assertIn("File: quorumd", said)

    def one_at_a_time(self, client):
        def begin():
            return subprocess.Popen(["curl", "-s", f"http://{client}/debug/pprof/profile?seconds=200"],
                                    stdout=subprocess.DEVNULL)

        longer = begin()

        def is_under_way():
            nonlocal longer
            if longer.poll() is not None:  # it found the other one there
                longer = begin()
            return self.curl(client, "profile?seconds=1").endswith("503")

        try:
            eventually(is_under_way)
            self.assertIn("one at a time", self.curl(self.watched, "heap?seconds=1"))
            began = time.monotonic()
            run(["curl", "-s", f"http://{client}/health"])
            self.assertLess(time.monotonic() - began, 5)
        finally:
            longer.kill()
            longer.wait()
        eventually(lambda: self.curl(client, "profile?seconds=1").endswith("200"))


if __name__ == "__main__":
    unittest.main(warnings="ignore")
