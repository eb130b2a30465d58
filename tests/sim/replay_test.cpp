#include "tests/sim/arguments.hpp"
#include "tests/sim/explain.hpp"
#include "tests/sim/shrink.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

// Runs that are repeated with something left out, made small, and told as a story.
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t time_width = 8; ///< as in "3600.131"

/// Of a number that no run's faults reach: the faults are repeated, and nothing is left out.
overrides nothing_left_out() {
  overrides o;
  o.without.numbers.insert(1'000'000);
  return o;
}

std::string wrong_in(std::vector<const char*> words) {
  words.insert(words.begin(), "quorumd_sim");
  arguments a;
  return parse(static_cast<int>(words.size()), words.data(), a);
}

bool any_has(const std::vector<std::string>& lines, const std::string& what) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& l) { return l.find(what) != std::string::npos; });
}

operation put(std::uint64_t id, const std::string& key, std::uint64_t revision) {
  operation o;
  o.id = id;
  o.what = operation::kind::write;
  o.then = {{action::kind::put, key, {}, "v", 0}};
  o.asked_at = coro::time_point(std::chrono::seconds(id));
  o.answered_at = o.asked_at + 10ms;
  o.returned = id;
  o.revision = revision;
  return o;
}

std::vector<std::uint64_t> ids(const std::vector<operation>& all) {
  std::vector<std::uint64_t> out;
  for (const operation& o : all) out.push_back(o.id);
  return out;
}

} // namespace

// The faults come at the same moments and hit the same nodes, in runs with and without changes of members.
TEST_CASE("a run whose faults are repeated is the run in which they were drawn") {
  for (const std::uint64_t seed : {1, 2, 4, 12, 22}) // some change members, some crash candidates
  {
    CAPTURE(seed);
    const run_result drawn = run_again({seed, {}, {}});
    const run_result repeated = run_again({seed, {}, nothing_left_out()});
    CHECK(drawn.complaint.empty());
    CHECK(repeated.hash == drawn.hash);
    CHECK(repeated.events == drawn.events);
  }
}

// One fault less is another run, but the faults behind it keep their moments.
TEST_CASE("what is left out moves no other fault") {
  const auto faults_told = [](const overrides& o) {
    std::vector<std::pair<coro::time_point, std::uint64_t>> all;
    run_options options;
    options.tell = [&](coro::time_point at, const told& t) {
      if (t.fault != 0 && t.of != told::topic::member && (all.empty() || all.back().second != t.fault))
        all.emplace_back(at, t.fault);
    };
    (void)run_again({3, {}, o}, options);
    return all;
  };
  const auto whole = faults_told(nothing_left_out());
  REQUIRE(whole.size() > 4);
  const std::uint64_t left_out = whole[1].second;
  overrides o;
  o.without.numbers.insert(left_out);
  const auto less = faults_told(o);
  CHECK(less.size() > whole.size() / 2);
  for (const auto& [at, number] : less) {
    CHECK(number != left_out);
    for (const auto& [before, same] : whole) {
      if (same != number) continue;
      CHECK(at - before < 1ms); // a handler may be at work at that moment
      CHECK(before - at < 1ms);
    }
  }
}

// What is printed as a command is what the command line takes.
TEST_CASE("overrides are written as the command line takes them") {
  overrides o;
  CHECK_FALSE(o.any());
  CHECK(o.text().empty());
  CHECK(o.take("without", "crash,flips,one-way") == "");
  CHECK(o.take("plain", "workers,costs") == "");
  CHECK(o.take("skip", "9,3-5,4,11") == "");
  CHECK(o.take("clients", "2") == "");
  CHECK(o.take("nodes", "3") == "");
  CHECK(o.take("trouble-ms", "900") == "");
  CHECK_FALSE(o.take("seeds", "1"));
  CHECK(o.text() ==
        " --without flips,crash,one-way --plain costs,workers --nodes 3 --clients 2 --trouble-ms 900 --skip 3-5,9,11");
  plan p;
  p.flips_a_start = 2;
  p.load.session_clients = 4;
  p.log_worker.most = 1s;
  o.apply(p);
  CHECK(p.flips_a_start == 0);
  CHECK(p.load.clients == 2);
  CHECK(p.load.session_clients == 2);
  CHECK(p.trouble == 900ms);
  CHECK(p.log_worker.most == plan().log_worker.most);
}

TEST_CASE("a wrong argument is named") {
  CHECK(wrong_in({"--seed", "7", "--skip", "3,5"}).empty());
  CHECK(wrong_in({"--minutes", "0.5", "--from", "3", "--mutant", "join-anywhere"}).empty());
  CHECK(wrong_in({}).find("--seed") != std::string::npos);
  CHECK(wrong_in({"--seed", "x"}) == "--seed: 'x' is no seed");
  CHECK(wrong_in({"--seed"}) == "--seed needs a value");
  CHECK(wrong_in({"--sed", "1"}) == "unknown: '--sed'");
  CHECK(wrong_in({"--seed", "1", "--explain", "2"}) == "--explain: one thing at a time, please");
  CHECK(wrong_in({"--seed", "1", "--without", "crash,crsh"}).starts_with("--without: 'crsh' is none of: crash, "));
  CHECK(wrong_in({"--seed", "1", "--plain", "clients"}).starts_with("--plain: 'clients' is none of: "));
  CHECK(wrong_in({"--seed", "1", "--skip", "3,7-5"}).starts_with("--skip: '7-5' is no number of a fault"));
  CHECK(wrong_in({"--seed", "1", "--skip", "0"}).starts_with("--skip: '0'"));
  CHECK(wrong_in({"--seed", "1", "--nodes", "8"}) == "--nodes: '8' is no number from 1 to 7");
  CHECK(wrong_in({"--seeds", "5..1"}).starts_with("--seeds: '5..1'"));
  CHECK(wrong_in({"--seeds", "1..5", "--clients", "1"}).find("--clients 1") != std::string::npos);
  CHECK(wrong_in({"--seed", "1", "--from", "1"}) == "--from goes with --minutes");
  CHECK(wrong_in({"--minutes", "-1"}) == "--minutes: '-1' is no number of minutes");
  CHECK(wrong_in({"--seed", "1", "--mutant", "m"}).starts_with("--mutant: no mutant is called 'm'"));
}

TEST_CASE("complaints are of one kind whatever their numbers and operations are") {
  CHECK(kind_of_complaint("n3 lost the leadership of a calm cluster") == "n# lost the leadership of a calm cluster");
  CHECK(kind_of_complaint("two writes made one revision: operation 12 of client 3 (write, ok") ==
        kind_of_complaint("two writes made one revision: operation 7 of client 11 (write, unknown"));
  CHECK(kind_of_complaint("n1 is not up") != kind_of_complaint("n1 has not applied its log"));
}

// What a mutant breaks, made small and replayed. A few runs are enough to leave out most of its faults.
TEST_CASE("a failing run shrinks to one that fails in the same way") {
  const shrink_result r = shrink({.from = {26, "vote-without-log", {}}, .jobs = 2, .runs_max = 12, .quiet = true});
  REQUIRE_FALSE(r.complaint.empty());
  CHECK(r.after.faults < r.before.faults / 2);
  const run_result again = run_again(r.smallest);
  CHECK(kind_of_complaint(again.complaint) == kind_of_complaint(r.complaint));
  CHECK(again.complaint == r.still);
}

TEST_CASE("a run that does not fail is not shrunk") {
  const shrink_result r = shrink({.from = {1, {}, {}}, .quiet = true});
  CHECK(r.complaint.empty());
  CHECK(r.runs == 1);
}

// Who led, and each fault of the run by its number.
TEST_CASE("a story names the leaders and the faults of a run") {
  const explanation e = explain({1, {}, {}});
  CHECK(e.complaint.empty());
  CHECK(e.lines.size() < 120);
  CHECK(any_has(e.lines, " leads term "));
  CHECK(any_has(e.lines, "(fault 1)"));
  CHECK(any_has(e.lines, "everything is healed"));
  CHECK(any_has(e.lines, "to the end")); // somebody leads there
  CHECK(std::is_sorted(e.lines.begin(), e.lines.end(), [](const std::string& a, const std::string& b) {
    return a.substr(0, time_width) < b.substr(0, time_width);
  }));
}

TEST_CASE("the story of a run that fails ends with how all stood, and the operations that it is about") {
  explanation e;
  std::size_t named = std::string::npos; // where the complaint names an operation
  for (std::uint64_t seed = 1; seed <= 100 && named == std::string::npos; ++seed) {
    e = explain({seed, "read-without-round", {}});
    named = e.complaint.find("operation ");
  }
  REQUIRE(named != std::string::npos);
  CHECK(any_has(e.lines, "WRONG: " + e.complaint));
  CHECK(any_has(e.lines, "n1 stands at "));
  const std::string operation = e.complaint.substr(named, e.complaint.find(" (", named) - named);
  CHECK(any_has(e.lines, "  " + operation + " ("));
}

TEST_CASE("the operations that a complaint is about are those that it names, else the latest") {
  std::vector<operation> history;
  for (std::uint64_t i = 1; i <= 20; ++i) history.push_back(put(i, "k" + std::to_string(i % 4), 100 + i));
  const coro::time_point end(20s);
  CHECK(ids(concerned(history, "operation 9 of client 2 put k1=v", end, 3)) == std::vector<std::uint64_t>{5, 9, 13});
  CHECK(ids(concerned(history, "revision 104 was made twice", end, 3)) == std::vector<std::uint64_t>{3, 4});
  CHECK(ids(concerned(history, "n1 lost the leadership", end, 9)) == std::vector<std::uint64_t>{19, 20});
}

} // namespace quorumd::sim
