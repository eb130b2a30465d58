"""Plays steps to a server that speaks etcd's API, and says what it answered in terms that two servers have in common.

A step is a dictionary: what to `do`, the number of the member to ask (`at`), the fields of the request. Revisions in a
request that are a `Now` count from the server's present one. In answers they count as if the store had been empty, at
revision 1, when the steps began.
"""

import queue
import threading
import time

import grpc
from etcd3 import etcdrpc as rpc

PATIENCE = 10.0  # seconds for events that are due
LOOK_BACK_SECONDS = 0.3  # after which etcd, which looks each 0.1 s, has seen that a watch from the past is in step
MESSAGES = {"range": rpc.RangeRequest, "put": rpc.PutRequest, "delete": rpc.DeleteRangeRequest, "txn": rpc.TxnRequest,
            "compact": rpc.CompactionRequest, "grant": rpc.LeaseGrantRequest, "revoke": rpc.LeaseRevokeRequest,
            "ttl": rpc.LeaseTimeToLiveRequest, "leases": rpc.LeaseLeasesRequest, "keepalive": rpc.LeaseKeepAliveRequest}
WATCHING = ("watch", "cancel", "close")
SETTLED = ("compact", "cancel", "close")  # what only begins once every watch has what is due
NO_FIELDS = ("do", "at", "stream")


class Now(int):
    """A revision, from the present one on."""

    def __repr__(self):
        return f"now{int(self):+d}" if self else "now"


def varint(number):
    number &= 2 ** 64 - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def in_range(key, first, end):
    first = first or b"\0"
    if not end:
        return key == first
    return key >= first and (end == b"\0" or key < end)


class Watch:
    """What one watch was asked for, has got, and is still to get by the history of all events."""

    def __init__(self, step, start, now, compacted):
        self.step = step
        self.start = start or now + 1
        self.from_past = 0 < start <= now
        self.compacted = compacted
        self.cancel_due = 0 < start < compacted
        self.made = time.monotonic()
        self.events = []
        self.pieces = 0  # responses that went on with the revision of the one before
        self.told = 0
        self.due = 0
        self.looked = 0

    def take(self, response):
        if self.events and response.events and response.events[0].kv.mod_revision == self.events[-1].kv.mod_revision:
            self.pieces += 1
        self.events += [e for e in response.events if not self.forgotten(e)]

    def forgotten(self, event):
        """A deletion in the very revision that is compacted: etcd 3.4 has lost it, 3.5.18 delivers it."""
        return event.type == 1 and event.kv.mod_revision == self.compacted == self.start

    def wants(self, event):
        return (event.kv.mod_revision >= self.start and not self.forgotten(event)
                and in_range(event.kv.key, self.step.get("key", b""), self.step.get("range_end", b""))
                and event.type not in self.step.get("filters", ()))

    def lacks(self, history):
        self.due += sum(self.wants(e) for e in history[self.looked:])
        self.looked = len(history)
        return self.due - len(self.events)


class Stream:
    """A Watch call; a thread of its own reads it. What it has is guarded by the player's `changed`."""

    def __init__(self, player, at):
        self.player = player
        self.requests = queue.SimpleQueue()
        self.watches = {}
        self.compacted = set()  # ids of watches that began too far back
        self.opening = None
        self.created = self.made = None
        self.controls = []
        self.call = rpc.WatchStub(player.channels[at]).Watch(iter(self.requests.get, None))
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for response in self.call:
                with self.player.changed:
                    self.take(response)
                    self.player.changed.notify()
            why = "the stream was ended"
        except grpc.RpcError as error:
            why = f"{error.code().name}: {error.details()}"
        with self.player.changed:
            if self.call is not None:
                self.controls.append(why)
            self.player.changed.notify()

    def take(self, response):
        if response.created:
            self.created, self.made = response, None
            if not response.canceled:
                step, start = self.opening
                self.made = Watch(step, start, response.header.revision, self.player.compacted)
                self.watches[response.watch_id] = self.made
        elif response.canceled or not response.events or response.watch_id not in self.watches:
            self.watches.pop(response.watch_id, None)
            self.controls.append(response)
        else:
            self.watches[response.watch_id].take(response)

    def send_create(self, fields, watch_id):
        create = rpc.WatchCreateRequest(**fields)
        if watch_id:  # which python3-etcd3's messages do not know yet
            create.MergeFromString(b"\x38" + varint(watch_id))
        self.requests.put(rpc.WatchRequest(create_request=create))

    def end(self):
        call, self.call = self.call, None
        self.requests.put(None)
        call.cancel()


class Player:
    """One server, by the addresses of its members. `plant` may falsify what it answers, for tests of the comparison."""

    def __init__(self, addresses):
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        self.channels = [grpc.insecure_channel(a, options=options) for a in addresses]
        self.calls = []
        for channel in self.channels:
            kv, lease = rpc.KVStub(channel), rpc.LeaseStub(channel)
            self.calls.append({"range": kv.Range, "put": kv.Put, "delete": kv.DeleteRange, "txn": kv.Txn,
                               "compact": kv.Compact, "grant": lease.LeaseGrant, "revoke": lease.LeaseRevoke,
                               "ttl": lease.LeaseTimeToLive, "leases": lease.LeaseLeases,
                               "keepalive": lambda request, timeout, call=lease.LeaseKeepAlive:
                                            next(call(iter([request]), timeout=timeout))})
        self.changed = threading.Condition()
        self.streams = {}
        self.everything = None
        self.now = self.base = self.compacted = 0
        self.plant = lambda step, answer: answer

    def close(self):
        self.end_streams()
        for channel in self.channels:
            channel.close()

    def end_streams(self):
        for stream in [*self.streams.values(), *([self.everything] if self.everything else [])]:
            stream.end()
        self.streams = {}
        self.everything = None

    def ask(self, at, kind, request):
        answer = self.calls[at % len(self.calls)][kind](request, timeout=30)
        self.now = max(self.now, answer.header.revision)
        return answer

    def clean(self):
        """No keys, no leases, no watches, no history."""
        self.end_streams()
        for _ in range(3):
            self.ask(0, "put", rpc.PutRequest(key=b"\0"))  # so that there are revisions before the first
        self.ask(0, "delete", rpc.DeleteRangeRequest(key=b"\0", range_end=b"\0"))
        for lease in self.ask(0, "leases", rpc.LeaseLeasesRequest()).leases:
            self.ask(0, "revoke", rpc.LeaseRevokeRequest(ID=lease.ID))
        self.ask(0, "compact", rpc.CompactionRequest(revision=self.now, physical=True))
        self.base = self.compacted = self.now
        self.everything = Stream(self, 0)
        self.everything.opening = {"key": b"\0", "range_end": b"\0"}, self.base + 1
        self.everything.send_create({"key": b"\0", "range_end": b"\0", "start_revision": self.base + 1}, 0)
        self.wait(lambda: self.everything.created)

    def play(self, steps):
        """The answer to each step, and at the end what the watches have got since the last that waited for them."""
        self.clean()
        answers = []
        for step in [*steps, {"do": "settle"}]:
            answer = self.step(step)
            answers.append(self.plant(step, answer))
        return answers

    def step(self, step):
        kind = step["do"]
        if kind == "compact":
            self.look_back()
        said = self.settle() if kind in SETTLED or kind == "settle" else None
        if kind == "settle":
            return said
        try:
            if kind in WATCHING:
                answer = {"watch": self.watch, "cancel": self.cancel, "close": self.close_stream}[kind](step)
            else:
                if step.get("serializable"):
                    self.catch_up(step["at"])
                message = MESSAGES[kind]()
                self.fill(message, {k: v for k, v in step.items() if k not in NO_FIELDS})
                answer = self.ask(step["at"], kind, message)
                if kind == "compact":
                    self.compacted = max(self.compacted, message.revision)
                answer = self.normal(answer)
        except grpc.RpcError as error:
            answer = f"{error.code().name}: {error.details()}"
        return (said, answer) if said else answer

    def catch_up(self, at):
        """Has the member all that was written, as a linearizable read does."""
        self.ask(at, "range", rpc.RangeRequest(key=b"\0", count_only=True))

    def revision(self, value):
        return max(self.now + value, self.base - 3) if isinstance(value, Now) else value

    def fill(self, message, fields):
        for name, value in fields.items():
            if isinstance(value, dict):
                part = getattr(message, name)
                part.SetInParent()
                self.fill(part, value)
            elif isinstance(value, list):
                for part in value:
                    self.fill(getattr(message, name).add(), part)
            else:
                setattr(message, name, self.revision(value))

    def normal(self, message):
        self.shift(message)
        if isinstance(message, rpc.LeaseTimeToLiveResponse):
            if message.grantedTTL - 120 <= message.TTL <= message.grantedTTL:
                message.TTL = message.grantedTTL
            keys = sorted(message.keys)
            del message.keys[:]
            message.keys.extend(keys)
        elif isinstance(message, rpc.LeaseLeasesResponse):
            message.leases.sort(key=lambda lease: lease.ID)
        return message

    def shift(self, message):
        for field, value in message.ListFields():
            if field.name == "header":
                value.cluster_id = bool(value.cluster_id)
                value.member_id = bool(value.member_id)
                value.raft_term = bool(value.raft_term)
                if value.revision:
                    value.revision -= self.base - 1
            elif field.name in ("create_revision", "mod_revision", "compact_revision"):
                setattr(message, field.name, value - self.base + 1)
            elif field.message_type:
                for part in value if field.label == field.LABEL_REPEATED else [value]:
                    self.shift(part)

    def wait(self, holds):
        with self.changed:
            return self.changed.wait_for(holds, PATIENCE)

    # ---- watches

    def watch(self, step):
        number = step["stream"]
        at = number % len(self.channels)
        self.catch_up(at)
        if number not in self.streams:
            self.streams[number] = Stream(self, at)
        stream = self.streams[number]
        fields = {k: v for k, v in step.items() if k not in (*NO_FIELDS, "watch_id")}
        fields["start_revision"] = self.revision(fields.get("start_revision", 0))
        with self.changed:
            stream.created = None
            stream.opening = step, fields["start_revision"]
        # In etcd the id of a watch that compaction ended is taken until it is cancelled, here it is free: see
        # docs/etcd-compatibility.md. So such a watch has an id of its own, which is not asked for again.
        watch_id = step.get("watch_id", 0)
        if watch_id in stream.compacted or 0 < fields["start_revision"] < self.compacted:
            watch_id = 0
        stream.send_create(fields, watch_id)
        self.wait(lambda: stream.created or stream.call is None)
        if not stream.created:
            return "no answer"
        made, created = stream.made, self.normal(stream.created)
        if made is None or not made.cancel_due:
            return created
        stream.compacted.add(created.watch_id)
        if not self.wait(lambda: stream.controls):
            return created, "no end by compaction"
        with self.changed:
            return created, self.control(stream.controls.pop(0))

    def cancel(self, step):
        number, watch_id = step["stream"], step.get("watch_id", 0)
        if number not in self.streams:
            return "no stream"
        stream = self.streams[number]
        if watch_id in stream.compacted:
            return "ended by compaction"
        self.catch_up(number % len(self.channels))
        with self.changed:
            known = watch_id in stream.watches
        stream.requests.put(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=watch_id)))
        if not known:
            return "unknown"
        if not self.wait(lambda: stream.controls):
            return "no answer"
        with self.changed:
            return self.control(stream.controls.pop(0))

    def close_stream(self, step):
        stream = self.streams.pop(step["stream"], None)
        if stream is None:
            return "no stream"
        stream.end()
        return "ended"

    def control(self, response):
        return response if isinstance(response, str) else self.normal(response)

    def missing(self):
        """What is due and not yet there, in words; nothing if all is."""
        history = next(iter(self.everything.watches.values())).events
        last = history[-1].kv.mod_revision if history else self.base
        if last < self.now:
            return f"all events: the last is of revision {last - self.base + 1}"
        for number, stream in self.streams.items():
            for watch_id, watch in stream.watches.items():
                if watch.cancel_due:
                    return f"stream {number}, watch {watch_id}: the end by compaction"
                if watch.lacks(history) > 0:
                    return f"stream {number}, watch {watch_id}: {watch.due - len(watch.events)} of {watch.due} events"
        return ""

    def look_back(self):
        """Has etcd see that a watch from the past has nothing more to get, before a compaction ends it."""
        with self.changed:
            made = max((w.made for s in self.streams.values() for w in s.watches.values() if w.from_past), default=0)
        time.sleep(max(0, made + LOOK_BACK_SECONDS - time.monotonic()))

    def settle(self):
        """What each watch has got since the last time, once it has what is due."""
        deadline = time.monotonic() + PATIENCE
        said = {}
        with self.changed:
            while missing := self.missing():
                if not self.changed.wait(max(0, deadline - time.monotonic())) and time.monotonic() > deadline:
                    said["missing"] = missing
                    break
            for number, stream in sorted(self.streams.items()):
                for watch_id, watch in sorted(stream.watches.items()):
                    events, watch.told = watch.events[watch.told:], len(watch.events)
                    if events:
                        said[f"stream {number}, watch {watch_id}"] = [self.event(e) for e in events]
                    if watch.pieces:
                        said[f"stream {number}, watch {watch_id}, pieces"] = watch.pieces
                        watch.pieces = 0
                if stream.controls:
                    said[f"stream {number}"] = [self.control(c) for c in stream.controls]
                    stream.controls = []
        return said

    def event(self, event):
        mine = type(event)()
        mine.CopyFrom(event)
        self.shift(mine)
        return mine
