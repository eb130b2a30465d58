#include "daemon/cli/alarm.hpp"
#include "daemon/cli/hash.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/status.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace quorumd::cli {
namespace {

std::vector<client::status_row> rows() {
  client::status_row a;
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
  client::status_row b;
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
  CHECK(status_json(rows()) ==
        R"([{"id":"00000000000000ab","name":"n1","role":"leader","leader":"00000000000000ab","term":2,"commit":10,)"
        R"("applied":9,"revision":5,"keys":4,"store_bytes":512,"disk_bytes":4096,"version":"0.1.0","lag":1,)"
        R"("quota_bytes":0,"nearly_full":false,"speaks":1},)"
        R"({"id":"00000000000000cd","name":"n2","role":"unreachable","leader":null,"term":null,"commit":null,)"
        R"("applied":null,"revision":null,"keys":null,"store_bytes":null,"disk_bytes":null,"version":null,"lag":null,)"
        R"("quota_bytes":null,"nearly_full":null,"speaks":null,)"
        R"("error":"no stream to it"}])"
        "\n");
}

// Before puts are refused a note says how much of the quota is used, and where.
TEST_CASE("status notes a quota that is nearly used") {
  auto all = rows();
  CHECK(nearly_full(all).empty()); // there is no quota
  quorumd::kv::settings s;
  s.quota_bytes = 1000;
  all[0].settings = s;
  all[0].store_bytes = 799;
  CHECK(nearly_full(all).empty());
  CHECK(status_json(all).find(R"("quota_bytes":1000,"nearly_full":false)") != std::string::npos);
  all[0].store_bytes = 800;
  all.push_back(all[0]);
  all[2].name = "n3";
  all[2].store_bytes = 1010;
  CHECK(nearly_full(all).starts_with(
      "storage.quota_bytes=1000B is nearly used: n1 has 80 % of it, n3 has 101 % of it. Once it is used up puts are "));
  CHECK(status_json(all).find(R"("quota_bytes":1000,"nearly_full":true)") != std::string::npos);
  all[0].error = "no stream to it";
  all[2].error = all[0].error;
  CHECK(nearly_full(all).empty());
}

// The highest index that all who answered have in common decides, whoever is ahead.
TEST_CASE("members' states are compared where they can be") {
  const auto row = [](std::string name, std::vector<client::state_mark> marks) {
    client::status_row r;
    r.name = std::move(name);
    r.marks = std::move(marks);
    return r;
  };
  const auto mark = [](std::uint64_t index, std::uint64_t hash) {
    return client::state_mark{log_index(index), hash, revision(index)};
  };
  client::status_row away = row("n4", {});
  away.error = "no stream to it";

  const auto n1 = row("n1", {mark(1024, 5), mark(2048, 6), mark(2060, 7)});
  const auto n2 = row("n2", {mark(1024, 5), mark(2048, 6), mark(2070, 8)});
  const client::verification same = client::verify(std::vector{n1, n2, row("n3", {mark(1024, 5), mark(2047, 9)})});
  CHECK(same.whole());
  CHECK(same.at == log_index(1024));
  CHECK(verification_text(same) == "the states of n1, n2 and n3 are equal at index 1024");

  const client::verification one = client::verify(std::vector{n1, n2, row("n3", {mark(1024, 4), mark(2048, 6)})});
  CHECK(one.whole()); // healed by a snapshot, say

  const client::verification odd =
      client::verify(std::vector{n1, row("n2", {mark(2048, 9)}), row("n3", {mark(2048, 6)})});
  CHECK_FALSE(odd.whole());
  CHECK(verification_text(odd) ==
        "the state of n2 differs from that of n1 and n3 at index 2048; they part at revision 2048 or before");
  const client::verification two = client::verify(std::vector{n1, row("n2", {mark(2048, 9)})});
  CHECK(verification_text(two) == "the states of n1 and n2 differ at index 2048; they part at revision 2048 or before");
  const client::verification later = client::verify(std::vector{n1, row("n2", {mark(1024, 5), mark(2048, 9)})});
  CHECK(verification_text(later) ==
        "the states of n1 and n2 differ at index 2048; they part between revisions 1025 and 2048");
  // Two of five are no majority, whoever is away.
  const client::verification few = client::verify(std::vector{n1, n2, row("n3", {mark(2048, 9)}), away, away});
  CHECK(few.same.empty());
  CHECK(few.differ.size() == 3);

  const client::verification behind = client::verify(std::vector{n1, row("n2", {mark(900, 3)})});
  CHECK_FALSE(behind.whole());
  CHECK(verification_text(behind) == "not compared: no index in common yet of n1 and n2");
  const client::verification partly = client::verify(std::vector{n1, n2, away});
  CHECK_FALSE(partly.whole());
  CHECK(verification_text(partly) == "the states of n1 and n2 are equal at index 2048; not compared: n4");
  CHECK(verified_json(std::vector{n1, n2}, client::verify(std::vector{n1, n2}))
            .ends_with(R"("index":2048,"same":["n1","n2"],"differ":[],"not_compared":[]})"
                       "\n"));
}

// Those that are at the same revision are compared, at the one where most are; who is elsewhere or away is named.
TEST_CASE("members' keys are compared where they can be") {
  const auto row = [](std::string name, std::uint64_t revision_now, std::uint64_t hash, std::uint64_t compacted = 0) {
    client::status_row r;
    r.id = node_id(0xab);
    r.name = std::move(name);
    r.revision = revision(revision_now);
    r.compacted = revision(compacted);
    r.keys_hash = hash;
    return r;
  };
  using names = std::vector<std::string>;
  const std::vector same{row("n1", 9, 5), row("n2", 9, 5), row("n3", 9, 5)};
  CHECK(compare_hashes(same).whole());
  CHECK(comparison_text(compare_hashes(same)) == "the keys of n1, n2 and n3 are equal");
  CHECK(hash_table(std::vector{same[0]}) == "id                name  revision  compacted  hash\n"
                                            "00000000000000ab  n1    9         0          0000000000000005\n");

  const hash_comparison odd = compare_hashes(std::vector{row("n1", 9, 5), row("n2", 9, 6), row("n3", 9, 5)});
  CHECK(odd.differ == names{"n2"});
  CHECK(comparison_text(odd) == "the keys of n2 differ from those of n1 and n3");
  const hash_comparison two = compare_hashes(std::vector{row("n1", 9, 5), row("n2", 9, 6)});
  CHECK(comparison_text(two) == "the keys of n1 and n2 differ");
  // Two that differ where most are not.
  const hash_comparison aside =
      compare_hashes(std::vector{row("n1", 9, 5), row("n2", 9, 5), row("n3", 9, 5), row("n4", 8, 1), row("n5", 8, 2)});
  CHECK(aside.differ == names{"n4", "n5"});
  CHECK(aside.agree.size() == 3);

  const hash_comparison behind = compare_hashes(std::vector{row("n1", 9, 5), row("n2", 9, 5), row("n3", 8, 4)});
  CHECK(behind.missing == names{"n3"});
  CHECK_FALSE(behind.whole());
  CHECK(comparison_text(behind) == "the keys of n1 and n2 are equal; not compared: n3");
  const hash_comparison compacted = compare_hashes(std::vector{row("n1", 9, 5, 3), row("n2", 9, 6, 4)});
  CHECK(compacted.differ.empty()); // one has forgotten what the other has not
  CHECK_FALSE(compacted.whole());

  client::status_row away = row("n2", 0, 0);
  away.error = "no stream to it";
  const std::vector partly{row("n1", 9, 5), away, row("old", 9, 0)};
  CHECK(compare_hashes(partly).missing == names{"n2", "old"});
  CHECK(
      hash_json(partly, compare_hashes(partly)) ==
      R"({"members":[{"id":"00000000000000ab","name":"n1","revision":9,"compacted":0,"hash":"0000000000000005"},)"
      R"({"id":"00000000000000ab","name":"n2","revision":null,"compacted":null,"hash":null,"error":"no stream to it"},)"
      R"({"id":"00000000000000ab","name":"old","revision":null,"compacted":null,"hash":null}],)"
      R"("agree":["n1"],"differ":[],"not_compared":["n2","old"]})"
      "\n");
  client::status_row witness = row("w", 0, 0);
  witness.witness = true;
  CHECK(compare_hashes(std::vector{row("n1", 9, 5), witness}).whole());
  CHECK(compare_hashes(std::vector{away}).missing == names{"n2"});
  CHECK(comparison_text(compare_hashes(std::vector{away})) == "not compared: n2");
}

// The alarm is raised by a volume or a store that is full, each with its reason; who does not answer raises none.
TEST_CASE("alarms") {
  std::vector<client::status_row> all = rows();
  all[0].accepting = true;
  all[0].settings = kv::settings{.quota_bytes = 513};
  CHECK(alarms_table(all).empty());
  CHECK(alarms_json(all) == "[]\n");
  all[0].settings->quota_bytes = 512;
  CHECK(alarms_table(all) ==
        "id                name  role    alarm    reason\n"
        "00000000000000ab  n1    leader  NOSPACE  the store holds 512 bytes, and storage.quota_bytes is 512B: puts are "
        "refused until keys are deleted or it is raised\n");
  all[0].settings->quota_bytes = 0;
  CHECK(alarms_table(all).empty());
  all[0].accepting = false;
  CHECK(no_space(all[0]) ==
        "its volume has no room beyond storage.reserve_bytes: puts are refused until there is some");
  all[0].role = raft::role::follower;
  CHECK(alarms_json(all) ==
        R"([{"id":"00000000000000ab","name":"n1","role":"follower","alarm":"NOSPACE","reason":"its volume has no )"
        R"(room beyond storage.reserve_bytes: puts are refused if it leads"}])"
        "\n");
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
