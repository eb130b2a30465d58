"""curl, nghttp and h2load: HTTP/1.1 and HTTP/2 of people and their scripts."""

import base64
import json
import os
import unittest

from cluster import ClusterTest, need, run

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


if __name__ == "__main__":
    unittest.main(warnings="ignore")
