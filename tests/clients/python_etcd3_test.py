"""python3-etcd3, on Python's grpcio."""

import threading
import unittest

import etcd3

from cluster import ClusterTest, eventually


class PythonEtcd3(ClusterTest):
    def clients(self):
        for i in range(3):
            c = etcd3.client(host=self.cluster.ip, port=self.cluster.port(i), timeout=20)
            yield c
            c.close()

    def test_keys(self):
        for c in self.clients():
            c.put("key", "1")
            value, meta = c.get("key")
            self.assertEqual(value, b"1")
            self.assertEqual(meta.version, 1)
            self.assertTrue(c.replace("key", "1", "2"))
            self.assertFalse(c.replace("key", "1", "3"))
            self.assertFalse(c.put_if_not_exists("key", "4"))
            self.assertEqual(c.put("key", "5", prev_kv=True).prev_kv.value, b"2")
            for i in range(20):
                c.put(f"many/{i:02}", str(i))
            self.assertEqual([v for v, _ in c.get_prefix("many/", sort_order="descend")],
                             [str(i).encode() for i in reversed(range(20))])
            self.assertEqual(len(list(c.get_range("many/00", "many/10"))), 10)
            self.assertEqual(c.delete_prefix("many/").deleted, 20)
            self.assertTrue(c.delete("key"))
            self.assertEqual(c.get("key"), (None, None))

    def test_transaction(self):
        for c in self.clients():
            c.put("t", "old")
            won, said = c.transaction(
                compare=[c.transactions.value("t") == "old", c.transactions.version("none") == 0,
                         c.transactions.create("t") > 0, c.transactions.mod("t") > 0],
                success=[c.transactions.put("t", "new"), c.transactions.get("t"),
                         c.transactions.txn([c.transactions.value("t") == "old"], [c.transactions.put("u", "1")], [])],
                failure=[c.transactions.get("t")])
            self.assertTrue(won)
            self.assertEqual(said[1][0][0], b"new")
            self.assertEqual(c.get("u")[0], b"1")

    def test_watch(self):
        for c in self.clients():
            events, cancel = c.watch_prefix("w/")
            threading.Timer(0.3, lambda client=c: [client.put("w/a", "1"), client.delete("w/a")]).start()
            first, second = next(events), next(events)
            self.assertIsInstance(first, etcd3.events.PutEvent)
            self.assertEqual((first.key, first.value), (b"w/a", b"1"))
            self.assertIsInstance(second, etcd3.events.DeleteEvent)
            cancel()
            c.put("w/b", "old")
            revision = int(c.get("w/b")[1].mod_revision)
            c.put("w/b", "new")
            past, cancel = c.watch("w/b", start_revision=revision, prev_kv=True)
            self.assertEqual([next(past).value, next(past).prev_value], [b"old", b"old"])
            cancel()
            c.compact(revision + 1)
            dead, cancel = c.watch("w/b", start_revision=1)
            with self.assertRaises(etcd3.exceptions.RevisionCompactedError):
                next(dead)
            seen = threading.Event()
            number = c.add_watch_callback("w/c", lambda _: seen.set())
            c.put("w/c", "1")
            self.assertTrue(seen.wait(20))
            c.cancel_watch(number)

    def test_lease(self):
        for c in self.clients():
            lease = c.lease(60)
            self.assertGreater(lease.remaining_ttl, 50)
            self.assertEqual(lease.granted_ttl, 60)
            self.assertEqual([r.TTL for r in lease.refresh()], [60])
            c.put("leased", "v", lease)
            self.assertEqual(list(lease.keys), [b"leased"])
            lease.revoke()
            self.assertIsNone(c.get("leased")[0])
            short = c.lease(2)
            c.put("short", "v", short)
            eventually(lambda client=c: client.get("short")[0] is None)

    def test_cluster(self):
        for c in self.clients():
            self.assertEqual(sorted(m.name for m in c.members), ["n1", "n2", "n3"])
            status = c.status()
            self.assertEqual(status.version, "3.5.21")
            self.assertIn(status.leader.name, ["n1", "n2", "n3"])
            self.assertGreater(c.hash(), 0)
            self.assertEqual(list(c.list_alarms()), [])
            c.defragment()

    def test_killed_leader(self):
        lost = self.cluster.leader()
        c = etcd3.client(host=self.cluster.ip, port=self.cluster.port((lost + 1) % 3), timeout=20)
        events, cancel = c.watch("k")
        c.put("k", "1")
        self.assertEqual(next(events).value, b"1")
        self.cluster.kill(lost)
        eventually(lambda: c.put("k", "2"))
        self.assertEqual(next(events).value, b"2")  # the watch is on a member that lives
        cancel()
        c.close()
        self.cluster.start(lost)
        eventually(lambda: self.cluster.healthy(lost))


if __name__ == "__main__":
    unittest.main(warnings="ignore")
