"""Random steps for two servers, as lines to read, and made smaller."""

import itertools
import random

from google.protobuf import text_format

from differential_player import Now

KEYS = [b"a", b"a\0", b"a\0\0", b"ab", b"abc", b"b", b"b\0", b"ba", b"c", b"\0", b"\xff", b"\xff\xff"]
ENDS = [*KEYS, b"ac", b"\0", b"\0", b"\0"]
VALUES = [b"", b"1", b"2", b"11", b"\0\xff"]
LEASES = [7, 8, 9, -3, 2 ** 63 - 1]
TTLS = [1000, 1000, 5000, 5000, 9_000_000_000, 9_000_000_001, 2 ** 63 - 1]
WATCH_IDS = [0, 0, 0, 1, 2, 5, -1, -7]
WEIGHTS = {"put": 26, "range": 22, "delete": 9, "txn": 24, "compact": 1.5, "grant": 3, "revoke": 1.5, "ttl": 3,
           "leases": 1, "keepalive": 1, "watch": 5, "cancel": 2, "close": 0.3}
TXN_OPS_MAX = 128


class Steps:
    """Random steps, the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, steps):
        return [self.step() for _ in range(steps)]

    def step(self):
        kind = self.random.choices(list(WEIGHTS), WEIGHTS.values())[0]
        return {"do": kind, "at": self.random.randrange(3), **getattr(self, kind)()}

    def maybe(self, chance):
        return self.random.random() < chance

    def one(self, values):
        return self.random.choice(values)

    def key(self):
        return b"" if self.maybe(0.005) else self.one(KEYS)

    def keys(self, single):
        if self.maybe(single):
            return {"key": self.key()}
        key, end = self.key(), self.one(ENDS)
        if end != b"\0" and self.maybe(0.7):
            key, end = sorted((key, end))
        return {"key": key, "range_end": end}

    def past(self):
        return Now(-int(self.random.expovariate(0.15)))

    def flags(self, chance, *names):
        return {name: True for name in names if self.maybe(chance)}

    # ---- keys

    def range(self):
        fields = {**self.keys(0.2), **self.flags(0.1, "serializable", "keys_only", "count_only")}
        if self.maybe(0.3):
            fields["limit"] = self.one([-1, 1, 1, 2, 3])
        if self.maybe(0.4):
            fields["revision"] = self.one([self.past(), self.past(), self.past(), Now(1), Now(9), -1, 1])
        if self.maybe(0.5):
            fields["sort_order"] = self.random.randrange(3)
            fields["sort_target"] = self.random.randrange(5)
        for name in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
            if self.maybe(0.1):
                fields[name] = self.one([self.past(), self.past(), Now(1), -1])
        return fields

    def put(self):
        fields = {"key": self.key(), "value": self.one(VALUES), **self.flags(0.3, "prev_kv")}
        if self.maybe(0.2):
            fields["lease"] = self.one(LEASES)
        if self.maybe(0.15):
            fields["ignore_value"] = True
            if self.maybe(0.9):
                del fields["value"]
        if self.maybe(0.15):
            fields["ignore_lease"] = True
            if self.maybe(0.9):
                fields.pop("lease", None)
        return fields

    def delete(self):
        return {**self.keys(0.6), **self.flags(0.4, "prev_kv")}

    def compare(self):
        fields = self.keys(0.7)
        target = self.random.randrange(5)
        name = ["version", "create_revision", "mod_revision", "value", "lease"][target]
        if self.maybe(0.03):
            name = self.one(["version", "create_revision", "mod_revision", "value", "lease"])
        fields[name] = {"version": self.random.randrange(4), "value": self.one(VALUES), "lease": self.one([0, *LEASES]),
                        "create_revision": self.one([0, self.past(), Now(1)]),
                        "mod_revision": self.one([0, self.past(), Now(1)])}[name]
        if self.maybe(0.03):
            del fields[name]
        fields["target"] = target if self.maybe(0.98) else 9
        fields["result"] = self.random.randrange(4) if self.maybe(0.98) else 9
        return fields

    def ops(self, depth):
        ops = []
        for _ in range(self.one([0, 1, 1, 2, 2, 3])):
            kinds = ["range", "put", "put", "delete", "txn"] if depth < 3 else ["range", "put", "put", "delete"]
            kind = self.one(kinds)
            if self.maybe(0.005):
                ops.append({})
            elif kind == "txn":
                ops.append({"request_txn": self.txn(depth + 1)})
            else:
                ops.append({{"delete": "request_delete_range"}.get(kind, f"request_{kind}"): getattr(self, kind)()})
        if self.maybe(0.01):
            ops += [{"request_range": {"key": b"a"}}] * self.one([1, 60, TXN_OPS_MAX - len(ops), TXN_OPS_MAX])
        return ops

    def txn(self, depth=0):
        compares = [self.compare() for _ in range(self.one([0, 1, 1, 2]))]
        if self.maybe(0.005):
            compares = [self.compare()] * (TXN_OPS_MAX + self.random.randrange(-1, 2))
        return {"compare": compares, "success": self.ops(depth), "failure": self.ops(depth)}

    def compact(self):
        return {"revision": self.one([self.past(), self.past(), self.past(), self.past(), Now(0), Now(1), 0, -1]),
                **self.flags(0.5, "physical")}

    # ---- leases

    def grant(self):
        return {"ID": self.one(LEASES), "TTL": self.one(TTLS)}

    def revoke(self):
        return {"ID": self.one(LEASES)}

    def ttl(self):
        return {"ID": self.one(LEASES), **self.flags(0.6, "keys")}

    def leases(self):
        return {}

    def keepalive(self):
        return {"ID": self.one(LEASES)}

    # ---- watches

    def watch(self):
        fields = {"stream": self.random.randrange(3), **self.keys(0.3), **self.flags(0.4, "prev_kv")}
        if self.maybe(0.5):
            fields["start_revision"] = self.one([self.past(), self.past(), Now(1), Now(4), -1])
        if self.maybe(0.2):
            fields["filters"] = self.one([[0], [1], [0, 1], [1, 1], [9]])
        fields["watch_id"] = self.one(WATCH_IDS)
        return fields

    def cancel(self):
        return {"stream": self.random.randrange(3), "watch_id": self.one(WATCH_IDS)}

    def close(self):
        return {"stream": self.random.randrange(3)}


def as_line(step):
    def value(v):
        if isinstance(v, dict):
            return "{" + ", ".join(f"{k}={value(x)}" for k, x in v.items()) + "}"
        if isinstance(v, list):
            runs = [(value(x), len(list(alike))) for x, alike in itertools.groupby(v)]
            return "[" + ", ".join(x if count == 1 else f"{count} times {x}" for x, count in runs) + "]"
        return repr(v)
    return f"{step['do']} " + " ".join(f"{k}={value(v)}" for k, v in step.items() if k != "do")


def as_text(answer):
    if isinstance(answer, str):
        return answer
    if isinstance(answer, tuple):
        return "; ".join(as_text(a) for a in answer)
    if isinstance(answer, list):
        return "[" + ", ".join(as_text(a) for a in answer) + "]"
    if isinstance(answer, dict):
        return "{" + ", ".join(f"{k}: {as_text(a)}" for k, a in answer.items()) + "}"
    if isinstance(answer, int):
        return str(answer)
    return f"{answer.DESCRIPTOR.name} {text_format.MessageToString(answer, as_one_line=True)}"


def simpler(value):
    """The same with one thing less, or one thing plainer."""
    if isinstance(value, dict):
        for name in value:
            if name not in ("do", "at", "stream", "key"):
                yield {k: v for k, v in value.items() if k != name}
        for name, part in value.items():
            if name not in ("do", "stream"):
                for less in simpler(part):
                    yield {**value, name: less}
    elif isinstance(value, list):
        size = len(value)
        while size:
            for at in range(0, len(value), size):
                if value[at:at + size] != value[at - size:at]:
                    yield value[:at] + value[at + size:]
            size //= 2
        for at, part in enumerate(value):
            if isinstance(part, dict) and (at == 0 or part != value[at - 1]):
                for less in simpler(part):
                    yield [*value[:at], less, *value[at + 1:]]
                if "request_txn" in part:  # what is in it, without it
                    for branch in ("success", "failure"):
                        yield [*value[:at], *part["request_txn"].get(branch, []), *value[at + 1:]]
    elif isinstance(value, Now):
        if value < 0:
            yield from (Now(0), Now(value + 1))
    elif isinstance(value, bytes):
        yield from (plain for plain in (b"a", b"b") if plain < value)
    elif isinstance(value, int) and not isinstance(value, bool) and value > 1:
        yield 0
        yield 1


def without(steps, signature_of, wanted, deadline):
    """The shortest steps found, until the deadline says so, that are still `signature_of` what is wanted."""
    def holds(candidate):
        return not deadline() and signature_of(candidate) == wanted

    changed = True
    while changed and not deadline():
        changed = False
        size = max(1, len(steps) // 2)
        while size:
            at = len(steps) - size
            while at > -size and len(steps) > 1:
                fewer = steps[:max(at, 0)] + steps[at + size:]
                if fewer and holds(fewer):
                    steps, changed = fewer, True
                at -= size
            size //= 2
        at = 0
        while at < len(steps):
            less = next((s for s in simpler(steps[at]) if holds([*steps[:at], s, *steps[at + 1:]])), None)
            if less is None:
                at += 1
            else:
                steps, changed = [*steps[:at], less, *steps[at + 1:]], True
    return steps
