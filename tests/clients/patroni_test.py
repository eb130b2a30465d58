"""Patroni on etcd3: two PostgreSQL servers, whose primary is killed, and quorumd's leader, which they do not notice."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from cluster import Cluster, eventually, need, run

BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
need("/usr/bin/patroni", "/usr/bin/patronictl")
if not BIN:
    print("no PostgreSQL server is on this machine")
    sys.exit(77)

CONFIG = """
scope: shop
name: {name}
etcd3:
  hosts: {hosts}
restapi:
  listen: {ip}:{rest}
  connect_address: {ip}:{rest}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 2
    retry_timeout: 5
    maximum_lag_on_failover: 1048576
    postgresql:
      use_pg_rewind: true
      parameters: {{max_connections: 20, shared_buffers: 16MB, fsync: "off"}}
  initdb: [{{encoding: UTF8}}, data-checksums]
  pg_hba:
  - local all all trust
  - host all all 127.0.0.0/8 trust
  - host replication all 127.0.0.0/8 trust
postgresql:
  listen: {ip}:{port}
  connect_address: {ip}:{port}
  data_dir: {folder}/data
  bin_dir: {bin}
  pgpass: {folder}/pgpass
  parameters: {{unix_socket_directories: "{folder}"}}
  authentication:
    superuser: {{username: postgres, password: secret}}
    replication: {{username: replicator, password: secret}}
    rewind: {{username: rewinder, password: secret}}
"""


class Server:
    """Patroni and its PostgreSQL."""

    def __init__(self, name, ip, hosts, number, folder):
        self.name = name
        self.ip = ip
        self.port = 21000 + 10 * number
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.config = os.path.join(self.folder, "patroni.yaml")
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(name=name, hosts=hosts, ip=ip, port=self.port, rest=self.port + 1,
                                    folder=self.folder, bin=BIN[-1]))
        self.process = None

    def start(self):
        user = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            postgres = pwd.getpwnam("postgres")
            for place, _, files in os.walk(os.path.dirname(self.folder)):
                for path in [place] + [os.path.join(place, f) for f in files]:
                    os.chown(path, postgres.pw_uid, postgres.pw_gid)
            user = {"user": postgres.pw_uid, "group": postgres.pw_gid}
        with open(os.path.join(os.path.dirname(self.folder), f"{self.name}.log"), "ab") as log:
            self.process = subprocess.Popen(["/usr/bin/patroni", self.config], stdout=log, stderr=log,
                                            start_new_session=True, **user)

    def kill(self):
        """Both at once, as a machine that is gone: the server and its processes are in sessions of their own."""
        postmaster = os.path.join(self.folder, "data", "postmaster.pid")
        self.process.kill()
        self.process.wait()
        if os.path.exists(postmaster):
            with open(postmaster, encoding="utf-8") as text:
                number = int(text.readline())
            try:
                os.killpg(number, signal.SIGKILL)
            except ProcessLookupError:
                try:
                    os.kill(number, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def sql(self, text):
        return run(["psql", "-h", self.ip, "-p", str(self.port), "-U", "postgres", "-Atc", text, "postgres"],
                   env={"PGCONNECT_TIMEOUT": "5"}).stdout.strip()

    def is_primary(self):
        return self.sql("select pg_is_in_recovery()") == "f"

    def is_standby(self):
        return self.sql("select count(*) from pg_stat_wal_receiver") == "1"


class Patroni(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster("patroni")
        self.folder = tempfile.mkdtemp(prefix="quorumd-postgresql-")
        hosts = self.cluster.endpoints()
        self.a = Server("a", self.cluster.ip, hosts, 0, self.folder)
        self.b = Server("b", self.cluster.ip, hosts, 1, self.folder)
        self.good = False

    def tearDown(self):
        for s in (self.a, self.b):
            if s.process is not None:
                s.kill()
        if not self.good:
            for name in ("a", "b"):
                path = os.path.join(self.folder, f"{name}.log")
                if os.path.exists(path):
                    with open(path, encoding="utf-8", errors="replace") as text:
                        sys.stderr.write(f"--- the end of {name}.log\n{text.read()[-3000:]}\n")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.cluster.close(failed=not self.good)

    def test_failover(self):
        self.a.start()
        eventually(self.a.is_primary, patience=60)
        self.b.start()
        eventually(self.b.is_standby, patience=60)
        self.a.sql("create table t (v int); insert into t values (1)")
        eventually(lambda: self.b.sql("select v from t") == "1")

        # quorumd loses its leader: PostgreSQL does not notice.
        lost = self.cluster.leader()
        self.cluster.kill(lost)
        started = self.a.sql("select pg_postmaster_start_time()")
        for value in range(2, 12):
            self.a.sql(f"insert into t values ({value})")
            eventually(lambda v=value: self.b.sql(f"select count(*) from t where v = {v}") == "1")
        self.assertTrue(self.a.is_primary())
        self.assertEqual(self.a.sql("select pg_postmaster_start_time()"), started)
        self.cluster.start(lost)
        eventually(lambda: self.cluster.healthy(lost))

        # The primary is lost: the standby takes over, with everything.
        self.a.kill()
        eventually(self.b.is_primary, patience=90)
        self.b.sql("insert into t values (12)")
        self.assertEqual(self.b.sql("select sum(v) from t"), "78")

        # It comes back as a standby.
        self.a.start()
        eventually(self.a.is_standby, patience=90)
        eventually(lambda: self.a.sql("select sum(v) from t") == "78")
        listed = run(["/usr/bin/patronictl", "-c", self.a.config, "list"]).stdout
        self.assertIn("Leader", listed)
        self.assertIn("Replica", listed)
        self.good = True


if __name__ == "__main__":
    unittest.main()
