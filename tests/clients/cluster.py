"""Clusters of real nodes for the tests of real clients: each test file is a program that unittest runs."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

QUORUMD = os.environ.get("QUORUMD_BIN") or os.path.join(os.path.dirname(__file__), "../../build/release/quorumd")
PATIENCE = 30.0  # seconds for what is to happen soon


def eventually(holds, patience=PATIENCE, pause=0.1):
    """The first true answer of `holds`, which may raise until then."""
    until = time.monotonic() + patience
    last = None
    while True:
        try:
            answer = holds()
            if answer:
                return answer
            last = f"it was {answer!r}"
        except Exception as why:  # pylint: disable=broad-except
            last = repr(why)
        if time.monotonic() > until:
            raise AssertionError(f"it did not come true within {patience:.0f} s: {last}")
        time.sleep(pause)


def run(words, check=True, stdin="", timeout=60, env=None):
    """A program's output; it has to succeed unless told otherwise."""
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **(env or {})})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Cluster:
    """Nodes n1, n2, ... on a loopback address of their own, in a folder that goes with them."""

    def __init__(self, name, nodes=3, settings=(), ip_offset=0):
        pid = os.getpid() + 30_000 * ip_offset
        self.ip = f"127.{200 + (pid >> 16) % 50}.{(pid >> 8) % 256}.{pid % 256}"
        self.folder = tempfile.mkdtemp(prefix=f"quorumd-{name}-")
        self.name = name
        self.nodes = nodes
        self.settings = settings
        self.processes = [None] * nodes
        for i in range(nodes):
            self.start(i)
        eventually(lambda: all(self.healthy(i) for i in range(nodes)))

    def peer(self, i):
        return f"{self.ip}:{20000 + 10 * i + 2}"

    def client(self, i):
        return f"{self.ip}:{20000 + 10 * i + 1}"

    def port(self, i):
        return 20000 + 10 * i + 1

    def endpoints(self):
        return ",".join(self.client(i) for i in range(self.nodes))

    def start(self, i):
        config = os.path.join(self.folder, f"n{i + 1}.yaml")
        with open(config, "w", encoding="utf-8") as out:
            members = "".join(f"    n{j + 1}: {self.peer(j)}\n" for j in range(self.nodes))
            out.write(f"node:\n  name: n{i + 1}\n  data_dir: {self.folder}/n{i + 1}\n"
                      f"cluster:\n  name: {self.name}\n  members:\n{members}"
                      f"listen:\n  peer: {self.peer(i)}\n  client: {self.client(i)}\n"
                      f"  admin: {self.folder}/n{i + 1}.sock\n")
        words = [QUORUMD, "serve", "--config", config]
        for setting in self.settings:
            words += ["--set", setting]
        with open(os.path.join(self.folder, f"n{i + 1}.log"), "ab") as log:
            self.processes[i] = subprocess.Popen(words, stdout=log, stderr=log)

    def kill(self, i):
        self.processes[i].kill()
        self.processes[i].wait()

    def stop(self, i):
        self.processes[i].send_signal(signal.SIGTERM)
        self.processes[i].wait(PATIENCE)

    def healthy(self, i):
        return run([QUORUMD, "--endpoint", self.client(i), "health"], check=False).returncode == 0

    def leader(self):
        """Its number, once one is known to itself."""
        def look():
            for i in range(self.nodes):
                if self.processes[i].poll() is None:
                    text = run([QUORUMD, "--endpoint", self.client(i), "status"], check=False).stdout
                    for row in text.splitlines()[1:]:
                        words = row.split()
                        if len(words) > 2 and words[2] == "leader":
                            return int(words[1][1:])
            return 0
        return eventually(look) - 1

    def log(self, i):
        with open(os.path.join(self.folder, f"n{i + 1}.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def close(self, failed=False):
        for p in self.processes:
            if p is not None and p.poll() is None:
                p.kill()
                p.wait()
        if failed:
            for i in range(self.nodes):
                sys.stderr.write(f"--- the end of n{i + 1}.log\n{self.log(i)[-2000:]}\n")
            sys.stderr.write(f"The cluster's folder is kept: {self.folder}\n")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class ClusterTest(unittest.TestCase):
    """Tests that share one cluster of three nodes, in `self.cluster`."""

    SETTINGS = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(cls.__name__.lower(), settings=cls.SETTINGS)
        cls.failed = False

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close(cls.failed)

    def run(self, result=None):
        before = len(result.errors) + len(result.failures)
        super().run(result)
        if len(result.errors) + len(result.failures) > before:
            type(self).failed = True


def free_port(ip):
    with socket.socket() as s:
        s.bind((ip, 0))
        return s.getsockname()[1]


def need(*programs):
    """Whether they are there; a test without them is skipped, by exit code 77."""
    for program in programs:
        if shutil.which(program) is None and not os.path.exists(program):
            print(f"{program} is not on this machine")
            sys.exit(77)
