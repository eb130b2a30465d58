"""etcdctl: its commands, as people and scripts use them."""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
import unittest

from cluster import QUORUMD, Cluster, ClusterTest, eventually, need, run

need("etcdctl")
ENV = {"ETCDCTL_API": "3"}


class Running:
    """A command that goes on."""

    def __init__(self, words, stdin=None):
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                                        env={**os.environ, **ENV})
        if stdin is not None:
            self.process.stdin.write(stdin)
            self.process.stdin.flush()

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def lines(self, n):
        return [self.line() for _ in range(n)]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=30)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Etcdctl(ClusterTest):
    def setUp(self):
        self.turn = getattr(Etcdctl, "turns", 0)
        Etcdctl.turns = self.turn + 1

    def words(self, *words, at=None):
        """Each test asks another member first."""
        return ["etcdctl", "--endpoints", at or self.cluster.client(self.turn % 3), *words]

    def ctl(self, *words, at=None, stdin=""):
        return run(self.words(*words, at=at), env=ENV, stdin=stdin).stdout

    def fails(self, *words, at=None, stdin=""):
        done = run(self.words(*words, at=at), env=ENV, stdin=stdin, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        return done.stderr

    def started(self, *words, at=None, stdin=None):
        return Running(self.words(*words, at=at), stdin)

    def test_put_and_get(self):
        self.assertEqual(self.ctl("put", "p/a", "1"), "OK\n")
        self.assertEqual(self.ctl("put", "p/a", "2", "--prev-kv"), "OK\np/a\n1\n")
        self.assertEqual(self.ctl("put", "p/b", stdin="from input"), "OK\n")
        self.assertEqual(self.ctl("put", "p/a", "--ignore-value", "--prev-kv"), "OK\np/a\n2\n")
        self.assertEqual(self.ctl("get", "p/a"), "p/a\n2\n")
        self.assertEqual(self.ctl("get", "p/", "--prefix", "--keys-only"), "p/a\n\np/b\n\n")
        self.assertEqual(self.ctl("get", "p/a", "p/z", "--limit", "1", "--print-value-only"), "2\n")
        self.assertEqual(self.ctl("get", "p/", "--prefix", "--order", "DESCEND", "--sort-by", "VERSION",
                                  "--print-value-only"), "2\nfrom input\n")
        self.assertEqual(self.ctl("get", "p/b", "--from-key", "--keys-only", "--consistency", "s").split()[0], "p/b")
        self.assertEqual(self.ctl("--hex", "get", "p/a"), "\\x70\\x2f\\x61\n\\x32\n")
        found = json.loads(self.ctl("get", "p/a", "-w", "json"))
        self.assertEqual(found["kvs"][0]["version"], 3)
        self.assertEqual(self.ctl("get", "p/a", "--rev", str(found["kvs"][0]["create_revision"])), "p/a\n1\n")
        self.assertIn('"Count" : 2', self.ctl("get", "p/", "--prefix", "-w", "fields"))
        self.assertEqual(self.ctl("del", "p/a", "--prev-kv"), "1\np/a\n2\n")
        self.assertEqual(self.ctl("del", "p/", "--prefix"), "1\n")
        self.assertEqual(self.ctl("del", "p/", "--from-key", "--prev-kv").splitlines()[0].isdigit(), True)
        self.assertIn("key is not provided", self.fails("put", "", "v"))

    def test_transaction(self):
        self.ctl("put", "t", "1")
        script = ('val("t") = "1"\nver("t") > "0"\ncreate("t") > "1"\nmod("t") > "1"\nval("t") < "2"\n'
                  'val("t") != "3"\n\nput t "two words"\nget t\ndel none\n\nget t\n\n')
        self.assertEqual(self.ctl("txn", stdin=script), "SUCCESS\n\nOK\n\nt\ntwo words\n\n0\n")
        asked = self.ctl("txn", "--interactive", stdin='val("t") = "other"\n\nput t 3\n\nget t\n\n')
        self.assertTrue(asked.endswith("FAILURE\n\nt\ntwo words\n"), asked)

    def test_watch(self):
        with self.started("watch", "w") as w:
            time.sleep(0.5)
            self.ctl("put", "w", "1")
            self.assertEqual(w.lines(3), ["PUT", "w", "1"])
            self.ctl("del", "w")
            self.assertEqual(w.lines(3), ["DELETE", "w", ""])
        self.ctl("put", "w/a", "1")
        revision = json.loads(self.ctl("put", "w/a", "2", "-w", "json"))["header"]["revision"]
        with self.started("watch", "w/", "--prefix", "--rev", str(revision), "--prev-kv") as w:
            self.assertEqual(w.lines(5), ["PUT", "w/a", "1", "w/a", "2"])
        with self.started("watch", "w/a", "w/z", "--rev", str(revision - 1), "--", "sh", "-c",
                          "echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY=$ETCD_WATCH_VALUE at $ETCD_WATCH_REVISION") as w:
            seen = [line for line in w.lines(8) if line.startswith('"PUT"') or line.startswith("PUT \"")]
            self.assertEqual(len(seen), 2)
        with self.started("watch", "--interactive", stdin=f"watch w/a --rev {revision}\nprogress\n") as w:
            self.assertEqual(w.lines(3), ["PUT", "w/a", "2"])
        with self.started("watch", "w/a", "-w", "json") as w:
            time.sleep(0.5)
            self.ctl("put", "w/a", "3")
            self.assertIn('"Events":[{"kv":', w.line())
        self.ctl("compaction", str(revision))
        self.assertIn("required revision has been compacted", self.fails("watch", "w/a", "--rev", "1"))
        self.assertIn("required revision has been compacted", self.fails("get", "w/a", "--rev", "1"))

    def test_lease(self):
        granted = self.ctl("lease", "grant", "100")
        lease = re.fullmatch(r"lease ([0-9a-f]+) granted with TTL\(100s\)\n", granted).group(1)
        self.assertEqual(self.ctl("put", "l", "v", "--lease", lease), "OK\n")
        self.assertEqual(self.ctl("put", "l", "w", "--ignore-lease"), "OK\n")
        self.assertIn(f"lease {lease} granted with TTL(100s), remaining(", self.ctl("lease", "timetolive", lease))
        self.assertIn("attached keys([l])", self.ctl("lease", "timetolive", lease, "--keys"))
        self.assertIn(lease, self.ctl("lease", "list"))
        self.assertEqual(self.ctl("lease", "keep-alive", "--once", lease), f"lease {lease} keepalived with TTL(100)\n")
        with self.started("lease", "keep-alive", lease) as k:
            self.assertEqual(k.line(), f"lease {lease} keepalived with TTL(100)")
        self.assertEqual(self.ctl("lease", "revoke", lease), f"lease {lease} revoked\n")
        self.assertEqual(self.ctl("get", "l"), "")
        self.assertIn("requested lease not found", self.fails("lease", "revoke", lease))
        self.assertIn("already expired", self.ctl("lease", "timetolive", lease))

    def test_lock_and_elect(self):
        with self.started("lock", "m") as first:
            self.assertRegex(first.line(), "^m/[0-9a-f]+$")
            with self.started("lock", "m", "echo", "mine now") as second:
                time.sleep(0.5)
                self.assertIsNone(second.process.poll())
                first.interrupt()
                self.assertEqual(second.line(), "mine now")
                self.assertEqual(second.process.wait(30), 0)
        with self.started("elect", "e", "one") as one:
            self.assertRegex(one.line(), "^e/[0-9a-f]+$")
            self.assertEqual(one.line(), "one")
            with self.started("elect", "--listen", "e") as listens:
                self.assertRegex(listens.line(), "^e/[0-9a-f]+$")
                self.assertEqual(listens.line(), "one")
                with self.started("elect", "e", "two") as two:
                    time.sleep(0.5)
                    one.interrupt()
                    self.assertRegex(two.line(), "^e/[0-9a-f]+$")
                    self.assertEqual(two.line(), "two")
                    self.assertEqual(listens.lines(2)[1], "two")
        self.assertEqual(self.ctl("lock", "m", "--", "sh", "-c", "echo $ETCD_LOCK_KEY")[:2], "m/")

    def test_cluster(self):
        members = self.ctl("member", "list").splitlines()
        self.assertEqual(len(members), 3)
        self.assertRegex(members[0], r"^[0-9a-f]+, started, n[123], http://[0-9.:]+, http://[0-9.:]+, false$")
        self.assertEqual(len(json.loads(self.ctl("member", "list", "-w", "json"))["members"]), 3)
        self.assertEqual(self.ctl("endpoint", "status", "--cluster").count(", 3.5.21, "), 3)
        self.assertEqual(self.ctl("endpoint", "status", "--cluster").count(", true, false, "), 1)
        healthy = run(self.words("endpoint", "health", "--cluster"), env=ENV)
        self.assertEqual((healthy.stdout + healthy.stderr).count("is healthy"), 3)
        self.assertEqual(len(self.ctl("endpoint", "hashkv", "--cluster").splitlines()), 3)
        self.assertEqual(self.ctl("alarm", "list"), "")
        self.assertEqual(self.ctl("alarm", "disarm"), "")
        self.assertIn("Finished defragmenting etcd member", self.ctl("defrag", at=self.cluster.endpoints()))
        leader = self.cluster.leader()
        rows = [row.split(", ") for row in members]
        other = next(row[0] for row in rows if row[2] != f"n{leader + 1}")
        self.assertIn("Leadership transferred", self.ctl("move-leader", other, at=self.cluster.client(leader)))
        self.assertNotEqual(self.cluster.leader(), leader)
        self.assertIn("not", self.fails("auth", "enable"))
        self.assertIn("not enabled", self.fails("user", "list"))
        self.assertEqual(self.ctl("version").splitlines()[1], "API version: 3.4")

    def test_snapshot(self):
        self.ctl("put", "kept", "safe")
        path = os.path.join(self.cluster.folder, "saved")
        self.assertEqual(self.ctl("snapshot", "save", path), f"Snapshot saved at {path}\n")
        with open(path, "rb") as saved:
            content = saved.read()
        self.assertEqual(hashlib.sha256(content[:-32]).digest(), content[-32:])
        folder = os.path.join(self.cluster.folder, "restored")
        run([QUORUMD, "snapshot", "restore", path, "--data-dir", folder])
        self.assertIn("whole", run([QUORUMD, "snapshot", "status", path]).stdout)

    def test_check_datascale(self):
        said = run(self.words("check", "datascale", "--load", "s", "--prefix", "/datascale/"), env=ENV, timeout=120)
        self.assertIn("PASS", said.stdout)

    def test_make_mirror(self):
        self.ctl("put", "mirrored/a", "1")
        other = Cluster("mirror", nodes=1, ip_offset=1)
        try:
            with self.started("make-mirror", "--prefix", "mirrored/", "--dest-prefix", "copy/", other.client(0)):
                def there(key, value):
                    return self.ctl("get", key, "--print-value-only", at=other.client(0)) == value
                eventually(lambda: there("copy/a", "1\n"))
                self.ctl("put", "mirrored/b", "2")
                eventually(lambda: there("copy/b", "2\n"))
                self.ctl("del", "mirrored/a")
                eventually(lambda: there("copy/a", ""))
        finally:
            other.close()


class LeaderKilled(unittest.TestCase):
    def test_puts_and_watch(self):
        c = Cluster("killed")
        good = False
        try:
            lost = c.leader()
            with Running(["etcdctl", "--endpoints", c.endpoints(), "watch", "k/", "--prefix"]) as watch:
                time.sleep(0.5)
                for i in range(30):
                    if i == 10:
                        c.kill(lost)
                    eventually(lambda n=i: run(["etcdctl", "--endpoints", c.endpoints(), "put", f"k/{n:02}", str(n)],
                                               env=ENV))
                seen = []
                while not seen or seen[-1] != "k/29":
                    kind, key, value = watch.lines(3)
                    self.assertEqual((kind, key), ("PUT", f"k/{int(value):02}"))
                    if not seen or seen[-1] != key:  # one that was tried again
                        seen.append(key)
                self.assertEqual(seen, [f"k/{i:02}" for i in range(30)])
            good = True
        finally:
            c.close(failed=not good)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
