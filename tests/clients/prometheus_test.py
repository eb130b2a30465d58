"""Prometheus scrapes the members, and the alerts of docs/monitoring fire when one is lost."""

import json
import os
import subprocess
import unittest
import urllib.parse
import urllib.request

from cluster import ClusterTest, eventually, free_port, need

need("prometheus")
ALERTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/monitoring/alerts.yml")


class Prometheus(ClusterTest):
    def setUp(self):
        folder = os.path.join(self.cluster.folder, "prometheus")
        os.mkdir(folder)
        with open(ALERTS, encoding="utf-8") as text, open(f"{folder}/alerts.yml", "w", encoding="utf-8") as out:
            out.write(text.read().replace("for: 1m", "for: 2s"))  # how long is for operators to say
        targets = json.dumps([self.cluster.client(i) for i in range(3)])
        with open(f"{folder}/prometheus.yml", "w", encoding="utf-8") as out:
            out.write("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
                      "rule_files: [alerts.yml]\nscrape_configs:\n"
                      f"- job_name: quorumd\n  static_configs: [{{targets: {targets}, labels: {{cluster: test}}}}]\n"
                      f"- job_name: etcd\n  params: {{compat: [etcd]}}\n  static_configs: [{{targets: {targets}}}]\n")
        self.at = f"{self.cluster.ip}:{free_port(self.cluster.ip)}"
        with open(f"{folder}/log", "wb") as log:
            self.process = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml",
                                             f"--storage.tsdb.path={folder}/data", f"--web.listen-address={self.at}"],
                                            stdout=log, stderr=log)

    def tearDown(self):
        self.process.kill()
        self.process.wait()

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.at}{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def values(self, query):
        found = self.ask("/api/v1/query?query=" + urllib.parse.quote(query))["result"]
        return {row["metric"].get("instance"): row["value"][1] for row in found}

    def firing(self):
        return {(a["labels"]["alertname"], a["labels"].get("instance")) for a in self.ask("/api/v1/alerts")["alerts"]
                if a["state"] == "firing"}

    def test_lost_member(self):
        members = [self.cluster.client(i) for i in range(3)]
        eventually(lambda: self.values('up{job="quorumd"}') == {m: "1" for m in members})
        eventually(lambda: self.values("quorumd_raft_has_leader") == {m: "1" for m in members} or None)
        eventually(lambda: self.values('etcd_server_has_leader{job="etcd"}') == {m: "1" for m in members})
        eventually(lambda: len(self.values("process_resident_memory_bytes > 1000000")) == 3)
        leader = self.cluster.leader()
        eventually(lambda: self.values("quorumd_raft_leads == 1") == {members[leader]: "1"})
        self.assertEqual(self.firing(), set())
        lost = (leader + 1) % 3
        self.cluster.kill(lost)
        eventually(lambda: ("QuorumdMemberLost", members[lost]) in self.firing())
        eventually(lambda: any(name == "QuorumdMemberDisconnected" for name, _ in self.firing()))
        self.assertEqual({instance for name, instance in self.firing() if name == "QuorumdMemberLost"}, {members[lost]})
        self.assertNotIn("QuorumdNoLeader", {name for name, _ in self.firing()})
        # Without a majority there is no leader.
        self.cluster.kill(leader)
        left = members[3 - lost - leader]
        eventually(lambda: ("QuorumdNoLeader", left) in self.firing())
        for i in (lost, leader):
            self.cluster.start(i)
        eventually(lambda: self.firing() == set(), patience=60)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
