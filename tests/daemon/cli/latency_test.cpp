#include "daemon/cli/latency_table.hpp"
#include "daemon/cli/top_frame.hpp"

#include <doctest/doctest.h>

#include <sstream>

namespace quorumd::cli {
namespace {

using namespace std::chrono_literals;

client::distribution times(const char* name, std::chrono::nanoseconds each, std::uint64_t n, const char* of = "") {
  client::distribution d{.name = name, .of = of, .unit = client::metric_unit::nanoseconds, .values = {}};
  d.values.record(each, n);
  return d;
}

node_sight leader(std::chrono::milliseconds up, std::uint64_t puts) {
  node_sight n;
  n.row.id = node_id(1);
  n.row.name = "n1";
  n.row.role = raft::role::leader;
  n.row.term = term(3);
  n.row.revision = revision(1234567);
  n.row.disk_bytes = 3 << 20;
  n.metrics.emplace();
  n.metrics->node = "n1";
  n.metrics->up = up;
  n.metrics->distributions = {times("client.receive", 10us, puts), times("put.inbox", 40us, puts),
                              times("put.propose", 50us, puts),    times("put.commit", 700us, puts),
                              times("put.sync", 600us, puts),      times("peer.acknowledged", 900us, puts, "n2"),
                              times("put.apply", 100us, puts),     times("put.answer", 50us, puts),
                              times("client.reply", 50us, puts),   times("put.whole", 950us, puts),
                              times("log.sync", 500us, puts),      times("loop.lag", 80us, puts, "loop-0")};
  n.metrics->readings = {
      {"process.cpu_ns", "", puts * 5000}, {"queue.proposed", "", 7}, {"process.resident_bytes", "", 64 << 20}};
  return n;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string l; std::getline(in, l);) out.push_back(l);
  return out;
}

std::string line_with(const std::vector<std::string>& lines, const std::string& what) {
  for (const auto& l : lines)
    if (l.find(what) != std::string::npos) return l;
  return {};
}

} // namespace

// Numbers are short, whatever their size.
TEST_CASE("short numbers") {
  CHECK(short_time(0) == "0ns");
  CHECK(short_time(999) == "999ns");
  CHECK(short_time(1234) == "1.23us");
  CHECK(short_time(12'340'000) == "12.3ms");
  CHECK(short_time(999'999) == "1.00ms");
  CHECK(short_time(7.3e12) == "7300s");
  CHECK(short_number(950) == "950");
  CHECK(short_number(155'012) == "155k");
  CHECK(short_bytes(1536) == "1.50KiB");
}

// The stages of a put follow each other on the bar: the commit, seven tenths of the whole, begins where the proposal
// ended, and the follower's acknowledgement runs beside it.
TEST_CASE("a table with bars") {
  const node_sight n = leader(10s, 5000);
  const auto lines = lines_of(latency_table(n, nullptr));
  CHECK(lines[0] == "n1, leader, since its start 10.0 s ago: 500 puts/s, 0 reads/s");
  const std::string commit = line_with(lines, " commit ");
  CHECK(commit.find("700us") != std::string::npos);
  CHECK(commit.substr(commit.find('|')) == "|   #######################      |");
  const std::string sync = line_with(lines, "   sync here");
  CHECK(sync.substr(sync.find('|')) == "|   ###################          |");
  CHECK(line_with(lines, "acknowledged by n2").find("900us") != std::string::npos);
  CHECK(line_with(lines, " apply ").find("                      ") != std::string::npos);
  CHECK(line_with(lines, "a read").empty());
  CHECK(line_with(lines, "log.sync").find("500us") != std::string::npos);
  CHECK(line_with(lines, "loop.lag loop-0").find("5.00k") != std::string::npos);
}

// Between two looks only what came since counts; a node that was started anew meanwhile is told from its start.
TEST_CASE("a course of time") {
  const node_sight before = leader(10s, 5000);
  const node_sight after = leader(12s, 5100);
  CHECK(same_node({before}, after) != nullptr);
  CHECK(same_node({after}, before) == nullptr);
  const auto lines = lines_of(latency_table(after, &*before.metrics));
  CHECK(lines[0] == "n1, leader, over 2.0 s: 50 puts/s, 0 reads/s");
  const std::string json = latency_json({after}, {before});
  CHECK(json.find(R"("name":"put.commit","of":"","unit":"ns","count":100)") != std::string::npos);
  CHECK(json.find(R"("since_start":false)") != std::string::npos);
  CHECK(json.find(R"("name":"queue.proposed","of":"","value":7)") != std::string::npos);
}

// A member that does not answer is a line, and null for a program.
TEST_CASE("a member that is silent") {
  node_sight n;
  n.row.name = "n3";
  n.error = "unreachable at \n1.2.3.4";
  CHECK(latency_table(n, nullptr) == "n3: unreachable at \\n1.2.3.4\n");
  CHECK(latency_json({n}, {}) == "[{\"node\":\"n3\",\"role\":null,\"error\":\"unreachable at \\n1.2.3.4\"}]\n");
}

// The view of `top`: rates of what came since the last look, a dash where nothing is known.
TEST_CASE("a frame of top") {
  node_sight lost;
  lost.row.id = node_id(2);
  lost.row.name = "n2";
  lost.row.error = lost.error = "unreachable at 10.0.0.2:2379";
  const auto first = top_frame({leader(10s, 5000), lost}, {});
  CHECK(first[0] == "1 of 2 members reached");
  CHECK(first[1] == "leader n1, term 3, revision 1,234,567");
  const auto frame = top_frame({leader(12s, 7000), lost}, {leader(10s, 5000), lost});
  REQUIRE(frame.size() == 7);
  CHECK(frame[1] == "leader n1, term 3, revision 1,234,567; 1.00k puts/s, 0 reads/s");
  CHECK(frame[4].find("1.00k") != std::string::npos);
  CHECK(frame[4].find("0.5%") != std::string::npos);
  CHECK(frame[4].find("64.0MiB") != std::string::npos);
  CHECK(frame[5].find("unreachable") != std::string::npos);
  CHECK(frame[6] == "n2: unreachable at 10.0.0.2:2379");
  CHECK(frame[3].size() == frame[4].size());
}

// A line is cut to the screen by what a person counts, not within a character.
TEST_CASE("cropped lines") {
  CHECK(cropped("abcdef", 4) == "abcd");
  CHECK(cropped("abc", 4) == "abc");
  CHECK(cropped("\xc3\xa4\xc3\xb6\xc3\xbc", 2) == "\xc3\xa4\xc3\xb6");
  CHECK(cropped("", 3).empty());
}

} // namespace quorumd::cli
