#include "daemon/clients/http/pprof.hpp"

#include "daemon/clients/http/http_connection.hpp"
#include "daemon/clients/http/http_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iterator>
#include <utility>

namespace quorumd::clients {
namespace {

constexpr std::string_view pprof_root = "/debug/pprof";
constexpr std::chrono::seconds cpu_seconds{30}; ///< as in Go
constexpr std::chrono::seconds heap_seconds{10};
constexpr std::chrono::seconds pprof_seconds_max{300};

constexpr std::string_view pprof_index = R"(<!DOCTYPE html>
<html><head><title>/debug/pprof/</title></head><body>
<h1>Profiles of this node</h1>
<ul>
<li><a href="/debug/pprof/profile?seconds=30">profile</a>: where it spends its CPU, 100 samples a second, in
<code>seconds</code> (30 unless said, 300 at most)</li>
<li><a href="/debug/pprof/heap?seconds=10">heap</a>: what is allocated in <code>seconds</code> (10 unless said), and what
of it lives; with TCMALLOC_SAMPLE_PARAMETER=524288 in the daemon's environment the whole heap, by samples since its
start</li>
<li><a href="/debug/pprof/cmdline">cmdline</a>: how it was started</li>
</ul>
<p>One profile is taken at a time, and ends when who asked for it goes away. Read one with the program beside it:
<code>go tool pprof /usr/bin/quorumd URL</code>, or <code>google-pprof --text /usr/bin/quorumd FILE</code>.</p>
</body></html>
)";

struct absent_profile {
  std::string_view name;
  std::string_view why;
};
/// What Go's programs have beside.
constexpr std::array absent_profiles{
    absent_profile{"goroutine",
                   "quorumd has no goroutines: 'quorumd profile mailbox' shows what waits between its loops"},
    absent_profile{"threadcreate", "quorumd starts its threads once, and measures them under 'quorumd latency'"},
    absent_profile{"block", "what waits is measured always: 'quorumd latency' and 'quorumd profile mailbox' show it"},
    absent_profile{"mutex", "who waits for locks is measured always: 'quorumd profile mailbox' shows it"},
    absent_profile{"trace", "quorumd has no execution trace: 'quorumd latency' shows where the time of a request goes"},
    absent_profile{"allocs", "/debug/pprof/heap has what was allocated, too"},
};

/// The program and its arguments, each behind a zero but the first: as Go's programs say it.
std::string command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::string all((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (all.ends_with('\0')) all.pop_back();
  return all;
}

pprof_request page_of(unsigned status, std::string body) {
  return {.profile = {}, .page = {.status = status, .body = std::move(body)}};
}

pprof_request timed(client::profile_kind what, std::string_view query, std::chrono::seconds unless_said) {
  std::chrono::seconds length = unless_said;
  if (const auto said = parameter_of(query, "seconds")) {
    std::uint32_t n = 0;
    const char* const end = said->data() + said->size();
    const auto read = std::from_chars(said->data(), end, n);
    if (read.ec != std::errc() || read.ptr != end || n < 1 || n > pprof_seconds_max.count())
      return page_of(400, "seconds is a whole number from 1 to " + std::to_string(pprof_seconds_max.count()) + "\n");
    length = std::chrono::seconds(n);
  }
  return {.profile = client::profile_request{.kind = what, .length = length}, .page = {}};
}

/// Addresses are asked for by POST.
bool is_pprof_symbol(std::string_view path) {
  return path == "/debug/pprof/symbol";
}

} // namespace

bool is_pprof_path(std::string_view path) {
  return path == pprof_root || (path.starts_with(pprof_root) && path[pprof_root.size()] == '/');
}

pprof_request pprof_request_of(std::string_view path, std::string_view query) {
  const std::string_view name = path.substr(std::min(pprof_root.size() + 1, path.size()));
  if (name.empty())
    return {.profile = {},
            .page = {.status = 200, .type = "text/html; charset=utf-8", .body = std::string(pprof_index)}};
  if (name == "profile") return timed(client::profile_kind::cpu, query, cpu_seconds);
  if (name == "heap") return timed(client::profile_kind::heap, query, heap_seconds);
  if (name == "cmdline") return page_of(200, command_line());
  // By this a reader learns that it has to look for the functions in the program itself, whatever it asks for.
  if (name == "symbol") return page_of(200, "num_symbols: 0\n");
  const auto absent = std::find_if(absent_profiles.begin(), absent_profiles.end(),
                                   [&](const absent_profile& a) { return a.name == name; });
  const std::string why = absent != absent_profiles.end() ? std::string(absent->why) + "\n" : std::string();
  return page_of(404, why + "there is nothing under /debug/pprof/ but profile, heap, cmdline and symbol\n");
}

pprof_page pprof_is_off() {
  return {.status = 404,
          .body = "profiles are not served here: http.pprof=true in the configuration has them served on this port, "
                  "listen.metrics at an address of its own\n"};
}

std::string pprof_file_lines(client::profile_kind what) {
  return std::string("Content-Disposition: attachment; filename=\"quorumd.") +
         (what == client::profile_kind::cpu ? "cpu" : "heap") + ".prof\"\r\n";
}

void http_connection::take_pprof(bool is_get, std::string_view path, std::string_view query) {
  if (profiles_ == nullptr) return answer_pprof(pprof_is_off());
  if (foreign_) return answer_pprof({.status = 403, .body = "pages of that origin may not take profiles\n"});
  if (!is_get && !is_pprof_symbol(path)) return answer_pprof({.status = 405, .body = "only GET is answered here\n"});
  const pprof_request asked = pprof_request_of(path, query);
  if (!asked.profile) return answer_pprof(asked.page);
  if (asks().options().only_health) return answer_pprof({.status = 503, .body = std::string(too_many_clients) + "\n"});
  if (!asks().take_place(health_id)) return;
  under_way_ = true;
  const client::profile_kind what = asked.profile->kind;
  const auto refused = profiles_->begin(this, *asked.profile, asks().loop(), [this, what](const profiler::outcome& o) {
    profiling_ = false;
    asks().leave_place();
    answered();
    if (broken()) return;
    if (o.error.empty())
      answer(200, "application/octet-stream", o.bytes, pprof_file_lines(what));
    else
      answer_pprof({.status = 500, .body = o.error + "\n"});
    connection::stop_reading();
  });
  if (!refused) {
    profiling_ = true;
    keep_ = false; // while it is taken the client is read only to see it leave
    return;
  }
  asks().leave_place();
  answered();
  answer_pprof({.status = 503, .body = *refused + "\n"});
}

void http_connection::answer_pprof(const pprof_page& page) {
  answer(page.status, page.type, page.body, page.status == 200 ? std::string_view() : pprof_error_lines);
}

} // namespace quorumd::clients
