// Watchers of one key by etcd's gRPC, against etcd and quorumd alike: how many events reach them a second, and how late
// they are behind the put's beginning.
//   bench_watch_fan HOST PORT CONNECTIONS STREAMS WATCHERS SECONDS [PUTS_A_SECOND]
// CONNECTIONS with STREAMS each, and WATCHERS on each stream; puts as fast as they go, sixteen
// at a time, or at that rate.
#include "rpc.pb.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

namespace pb = etcdserverpb;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t puts_at_a_time = 16;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(clock_type::now().time_since_epoch()).count();
}

void give_up(const char* why) {
  std::fprintf(stderr, "bench_watch_fan: %s\n", why);
  std::exit(1);
}

std::string framed(const google::protobuf::MessageLite& m) {
  const std::string content = m.SerializeAsString();
  std::string all(5, '\0');
  for (std::size_t i = 0; i < 4; ++i) all[4 - i] = static_cast<char>(content.size() >> (8 * i));
  return all + content;
}

/// One connection, whose calls' messages are counted.
class connection {
 public:
  explicit connection(const sockaddr_in& to) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) give_up("cannot connect");
    nghttp2_session_callbacks* c = nullptr;
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, closed);
    nghttp2_session_client_new(&session_, c, this);
    nghttp2_session_callbacks_del(c);
    const nghttp2_settings_entry mine{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &mine, 1);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
  }
  ~connection() {
    nghttp2_session_del(session_);
    ::close(fd_);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  void begin(const char* path, std::string body, bool ends) {
    const auto pair = [](const char* n, const char* v) {
      return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(n)),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(v)), std::strlen(n), std::strlen(v),
                        NGHTTP2_NV_FLAG_NONE};
    };
    const nghttp2_nv all[] = {pair(":method", "POST"), pair(":scheme", "http"),
                              pair(":path", path),     pair(":authority", "bench"),
                              pair("te", "trailers"),  pair("content-type", "application/grpc")};
    nghttp2_data_provider from{};
    from.read_callback = read;
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, all, std::size(all), &from, nullptr);
    streams_[id].body = std::move(body);
    streams_[id].ends = ends;
  }
  void turn(int at_most_ms) {
    for (const std::uint8_t* bytes = nullptr;;) {
      const ssize_t n = nghttp2_session_mem_send(session_, &bytes);
      if (n <= 0) break;
      pending_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
    }
    pollfd p{.fd = fd_, .events = static_cast<short>(POLLIN | (pending_.empty() ? 0 : POLLOUT)), .revents = 0};
    if (::poll(&p, 1, at_most_ms) <= 0) return;
    if ((p.revents & POLLOUT) != 0) {
      const ssize_t n = ::send(fd_, pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n > 0) pending_.erase(0, static_cast<std::size_t>(n));
    }
    if ((p.revents & POLLIN) == 0) return;
    const ssize_t n = ::recv(fd_, into_.data(), into_.size(), MSG_DONTWAIT);
    if (n == 0) give_up("the connection was closed");
    if (n > 0) nghttp2_session_mem_recv(session_, into_.data(), static_cast<std::size_t>(n));
  }

  std::uint64_t messages = 0;
  std::uint64_t events = 0;
  std::uint64_t ended = 0;
  std::vector<std::int64_t> late_ns; ///< of one message in sixteen

 private:
  struct stream {
    std::string body;
    std::size_t sent = 0;
    bool ends = false;
    std::string came; ///< of messages that are not whole
  };
  static connection& of(void* user) { return *static_cast<connection*>(user); }
  static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    stream& s = of(user).streams_[id];
    const std::size_t n = std::min(most, s.body.size() - s.sent);
    if (n == 0 && !s.ends) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(into, s.body.data() + s.sent, n);
    s.sent += n;
    if (s.ends && s.sent == s.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t n,
                  void* user) {
    connection& self = of(user);
    std::string& came = self.streams_[id].came;
    came.append(reinterpret_cast<const char*>(bytes), n);
    std::size_t at = 0;
    while (came.size() - at >= 5) {
      std::size_t size = 0;
      for (std::size_t i = 1; i < 5; ++i) size = size << 8 | static_cast<unsigned char>(came[at + i]);
      if (came.size() - at - 5 < size) break;
      self.take(came.data() + at + 5, size);
      at += 5 + size;
    }
    came.erase(0, at);
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    ++of(user).ended;
    of(user).streams_.erase(id);
    return 0;
  }
  /// Every message is looked through, as any client does.
  void take(const char* bytes, std::size_t size) {
    ++messages;
    response_.Clear();
    if (!response_.ParseFromArray(bytes, static_cast<int>(size))) give_up("an answer is none");
    events += static_cast<std::uint64_t>(response_.events_size());
    if (response_.events_size() == 0 || messages % 16 != 0) return;
    const std::string& v = response_.events(response_.events_size() - 1).kv().value();
    std::int64_t begun = 0;
    if (v.size() < sizeof begun) return;
    std::memcpy(&begun, v.data(), sizeof begun);
    late_ns.push_back(now_ns() - begun);
  }

  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, stream> streams_;
  std::string pending_;
  std::vector<std::uint8_t> into_ = std::vector<std::uint8_t>(256 * 1024);
  pb::WatchResponse response_;
};

double at(std::vector<std::int64_t>& all, double part) {
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return static_cast<double>(all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))]) / 1e6;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s HOST PORT CONNECTIONS STREAMS WATCHERS SECONDS [PUTS_A_SECOND]\n", argv[0]);
    return 64;
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[2])));
  if (::inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) give_up("HOST is no address");
  const int streams = std::atoi(argv[4]);
  const int watchers = std::atoi(argv[5]);
  const double rate = argc > 7 ? std::atof(argv[7]) : 0;

  std::deque<connection> all;
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    connection& c = all.emplace_back(to);
    pb::WatchRequest r;
    r.mutable_create_request()->set_key("watched");
    std::string body;
    for (int w = 0; w < watchers; ++w) body += framed(r);
    for (int s = 0; s < streams; ++s) c.begin("/etcdserverpb.Watch/Watch", body, false);
    const auto wanted = static_cast<std::uint64_t>(streams) * static_cast<std::uint64_t>(watchers);
    while (c.messages < wanted) c.turn(100);
    c.messages = 0;
  }

  const auto begun = clock_type::now();
  const auto until = begun + std::chrono::seconds(std::atoi(argv[6]));
  std::atomic<std::uint64_t> puts{0};
  std::vector<std::int64_t> put_ns;
  std::thread writer([&] {
    connection c(to);
    pb::PutRequest put;
    put.set_key("watched");
    std::deque<std::int64_t> under_way; // answered in order
    for (auto next = begun; clock_type::now() < until;) {
      const bool due = rate > 0 ? clock_type::now() >= next : under_way.size() < puts_at_a_time;
      if (due) {
        const std::int64_t t = now_ns();
        put.set_value(std::string(reinterpret_cast<const char*>(&t), sizeof t) + std::string(56, 'v'));
        c.begin("/etcdserverpb.KV/Put", framed(put), true);
        under_way.push_back(t);
        if (rate > 0) next += std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / rate));
        if (rate == 0) continue;
      }
      const std::uint64_t before = c.ended;
      c.turn(rate > 0 ? 1 : 100);
      for (std::uint64_t i = before; i < c.ended; ++i) {
        put_ns.push_back(now_ns() - under_way.front());
        under_way.pop_front();
        ++puts;
      }
    }
  });
  std::vector<std::thread> readers;
  for (connection& c : all)
    readers.emplace_back([&] {
      while (clock_type::now() < until) c.turn(100);
    });
  for (std::thread& t : readers) t.join();
  writer.join();
  const double seconds = std::chrono::duration<double>(clock_type::now() - begun).count();
  std::uint64_t events = 0;
  std::vector<std::int64_t> late;
  for (connection& c : all) {
    events += c.events;
    late.insert(late.end(), c.late_ns.begin(), c.late_ns.end());
  }
  std::printf(
      "%.0f events/s, %.0f puts/s; events late p50 %.2f ms, p99 %.2f ms, max %.2f ms; puts p50 %.2f ms, p99 %.2f "
      "ms, max %.2f ms\n",
      static_cast<double>(events) / seconds, static_cast<double>(puts) / seconds, at(late, 0.5), at(late, 0.99),
      at(late, 1), at(put_ns, 0.5), at(put_ns, 0.99), at(put_ns, 1));
}
