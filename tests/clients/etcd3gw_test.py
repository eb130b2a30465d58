"""python3-etcd3gw, which speaks JSON."""

import threading
import time
import unittest
import unittest.mock

import etcd3gw
from etcd3gw.utils import _encode

from cluster import ClusterTest, eventually


class Etcd3gw(ClusterTest):
    def clients(self):
        """By the path that it has by default, and the others."""
        host = self.cluster.ip
        yield etcd3gw.Etcd3Client(host=host, port=self.cluster.port(0))
        for i, path in enumerate(("/v3/", "/v3beta/")):
            yield etcd3gw.Etcd3Client(host=host, port=self.cluster.port(i + 1), api_path=path)

    def test_keys(self):
        for c in self.clients():
            self.assertTrue(c.put("key", "1"))
            self.assertEqual(c.get("key"), [b"1"])
            self.assertEqual(c.get("key", metadata=True)[0][1]["key"], b"key")
            self.assertTrue(c.replace("key", "1", "2"))
            self.assertFalse(c.replace("key", "1", "3"))
            c.put("key/a", "x")
            c.put("key/b", "y")
            self.assertEqual([v for v, _ in c.get_prefix("key/", sort_order="descend")], [b"y", b"x"])
            self.assertTrue(c.delete("key"))
            self.assertFalse(c.delete("key"))
            self.assertTrue(c.create("new", "1"))
            self.assertFalse(c.create("new", "1"))
            self.assertTrue(c.delete_prefix("key/"))
            self.assertTrue(c.delete("new"))

    def test_transaction(self):
        for c in self.clients():
            c.put("t", "old")
            said = c.transaction({
                "compare": [{"key": _encode(b"t"), "result": "EQUAL", "target": "VALUE", "value": _encode(b"old")}],
                "success": [{"request_put": {"key": _encode(b"t"), "value": _encode(b"new")}}],
                "failure": [{"request_range": {"key": _encode(b"t")}}],
            })
            self.assertTrue(said["succeeded"])
            self.assertEqual(c.get("t"), [b"new"])

    def test_lease(self):
        for c in self.clients():
            lease = c.lease(ttl=60)
            self.assertGreater(lease.ttl(), 50)
            self.assertEqual(lease.refresh(), 60)
            c.put("leased", "v", lease=lease)
            self.assertEqual(lease.keys(), [b"leased"])
            self.assertTrue(lease.revoke())
            self.assertEqual(c.get("leased"), [])

    def test_lock(self):
        first, second, _ = self.clients()
        with first.lock("the lock", ttl=30) as held:
            self.assertTrue(held.is_acquired())
            self.assertFalse(second.lock("the lock", ttl=30).acquire())
        other = second.lock("the lock", ttl=30)
        self.assertTrue(other.acquire())
        self.assertTrue(other.release())

    def test_watch(self):
        for c in self.clients():
            events, cancel = c.watch("watched")
            threading.Timer(0.3, lambda client=c: client.put("watched", "now")).start()
            self.assertEqual(next(iter(events))["kv"]["value"], b"now")
            cancel()
            threading.Timer(0.3, lambda client=c: client.put("other", "v")).start()
            self.assertEqual(c.watch_once("other", timeout=10), {"kv": unittest.mock.ANY})

    def test_members(self):
        for c in self.clients():
            self.assertEqual(c.status()["version"], "3.5.21")
            self.assertEqual(sorted(m["name"] for m in c.members()), ["n1", "n2", "n3"])

    def test_leader_killed(self):
        lost = self.cluster.leader()
        left = (lost + 1) % 3
        c = etcd3gw.Etcd3Client(host=self.cluster.ip, port=self.cluster.port(left), api_path="/v3/", timeout=10)
        c.put("before", "1")
        self.cluster.kill(lost)
        began = time.monotonic()
        eventually(lambda: c.put("after", "2"), pause=0.01)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(c.get("before"), [b"1"])
        self.cluster.start(lost)
        eventually(lambda: self.cluster.healthy(lost))


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # it leaves sockets open
