#include "daemon/cli/progress.hpp"
#include "daemon/cli/status.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace quorumd::cli {
namespace {

std::vector<wire::status_row> rows() {
  wire::status_row a;
  a.id = node_id(0xab);
  a.name = "n1";
  a.version = "0.1.0";
  a.role = raft::role::leader;
  a.leader = a.id;
  a.term = term(2);
  a.commit = log_index(10);
  a.applied = log_index(9);
  a.revision = revision(5);
  a.keys = 4;
  a.store_bytes = 512;
  a.disk_bytes = 4096;
  a.lag = 1;
  wire::status_row b;
  b.id = node_id(0xcd);
  b.name = "n2";
  b.error = "no stream to it";
  return {a, b};
}

} // namespace

// A heading and a row a node, in columns; the unreachable one says so.
TEST_CASE("status table") {
  CHECK(status_table(rows()) ==
        "id                name  role         leader  term  commit  applied  revision  keys  store_bytes  disk_bytes  "
        "version  lag\n"
        "00000000000000ab  n1    leader       n1      2     10      9        5         4     512          4096        "
        "0.1.0    1\n"
        "00000000000000cd  n2    unreachable  -       -     -       -        -         -     -            -           "
        "-        -    no stream to it\n");
}

// The same as JSON, with the agreed names and null for what is not known.
TEST_CASE("status json") {
  CHECK(
      status_json(rows()) ==
      R"([{"id":"00000000000000ab","name":"n1","role":"leader","leader":"00000000000000ab","term":2,"commit":10,)"
      R"("applied":9,"revision":5,"keys":4,"store_bytes":512,"disk_bytes":4096,"version":"0.1.0","lag":1,"speaks":1},)"
      R"({"id":"00000000000000cd","name":"n2","role":"unreachable","leader":null,"term":null,"commit":null,)"
      R"("applied":null,"revision":null,"keys":null,"store_bytes":null,"disk_bytes":null,"version":null,"lag":null,)"
      R"("speaks":null,)"
      R"("error":"no stream to it"}])"
      "\n");
}

// The highest index that all who answered have in common decides, whoever is ahead.
TEST_CASE("members' states are compared where they can be") {
  const auto row = [](std::string name, std::vector<wire::state_mark> marks) {
    wire::status_row r;
    r.name = std::move(name);
    r.marks = std::move(marks);
    return r;
  };
  const auto mark = [](std::uint64_t index, std::uint64_t hash) { return wire::state_mark{log_index(index), hash}; };
  wire::status_row away = row("n4", {});
  away.error = "no stream to it";

  const auto n1 = row("n1", {mark(1024, 5), mark(2048, 6), mark(2060, 7)});
  const auto n2 = row("n2", {mark(1024, 5), mark(2048, 6), mark(2070, 8)});
  const verification same = verify(std::vector{n1, n2, row("n3", {mark(1024, 5), mark(2047, 9)})});
  CHECK(same.whole());
  CHECK(same.at == log_index(1024));
  CHECK(verification_text(same) == "the states of n1, n2 and n3 are equal at index 1024");

  const verification one = verify(std::vector{n1, n2, row("n3", {mark(1024, 4), mark(2048, 6)})});
  CHECK(one.whole()); // healed by a snapshot, say

  const verification odd = verify(std::vector{n1, row("n2", {mark(2048, 9)}), row("n3", {mark(2048, 6)})});
  CHECK_FALSE(odd.whole());
  CHECK(verification_text(odd) == "the state of n2 differs from that of n1 and n3 at index 2048");
  const verification two = verify(std::vector{n1, row("n2", {mark(2048, 9)})});
  CHECK(verification_text(two) == "the states of n1 and n2 differ at index 2048");

  const verification behind = verify(std::vector{n1, row("n2", {mark(900, 3)})});
  CHECK_FALSE(behind.whole());
  CHECK(verification_text(behind) == "not compared: no index in common yet of n1 and n2");
  const verification partly = verify(std::vector{n1, n2, away});
  CHECK_FALSE(partly.whole());
  CHECK(verification_text(partly) == "the states of n1 and n2 are equal at index 2048; not compared: n4");
  CHECK(verified_json(std::vector{n1, n2}, verify(std::vector{n1, n2}))
            .ends_with(R"("index":2048,"same":["n1","n2"],"differ":[],"not_compared":[]})"
                       "\n"));
}

// The bar fits its terminal, and goes without a share where that is not known.
TEST_CASE("progress bar") {
  CHECK(progress_bar::render("imported", 0.5, 50000, 1234.5, 60) ==
        "[#############..............]  50%  50,000 imported  1,234/s");
  CHECK(progress_bar::render("imported", 1.0, 7, 0, 200)
            .starts_with("[##############################] 100%  7 imported"));
  CHECK(progress_bar::render("imported", -1, 7, 3, 200) == "7 imported  3/s");
  for (std::size_t columns = 0; columns < 100; ++columns)
    CHECK(progress_bar::render("imported", 0.3, 123456, 99, columns).size() <= columns);
}

} // namespace quorumd::cli
