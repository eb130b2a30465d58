#include "transcript.hpp"

#include "tests/model/words.hpp"

#include <sstream>
#include <stdexcept>
#include <utility>

namespace quorumd::raft::test {
namespace {

std::vector<std::string> words_in(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string w; in >> w;) words.push_back(w);
  return words;
}

std::uint64_t number_in(const std::vector<std::string>& words, std::size_t at) {
  if (at >= words.size()) throw std::runtime_error("a number is missing");
  std::size_t used = 0;
  const std::uint64_t n = std::stoull(words[at], &used);
  if (used != words[at].size()) throw std::runtime_error("'" + words[at] + "' is no number");
  return n;
}

std::vector<std::uint64_t> numbers_in(const std::vector<std::string>& words, std::size_t from) {
  std::vector<std::uint64_t> all;
  for (std::size_t i = from; i < words.size(); ++i) all.push_back(number_in(words, i));
  return all;
}

/// `1 2 3`, `1 2 + 3`.
configuration members_in(const std::vector<std::string>& words, std::size_t from) {
  std::vector<std::uint64_t> voting;
  std::vector<std::uint64_t> learning;
  bool learners = false;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i] == "+")
      learners = true;
    else
      (learners ? learning : voting).push_back(number_in(words, i));
  }
  return these(voting, learning);
}

const char* word_of(role r) {
  switch (r) {
  case role::follower:
    return "follower";
  case role::pre_candidate:
    return "pre-candidate";
  case role::candidate:
    return "candidate";
  case role::leader:
    return "leader";
  }
  return "?";
}

const char* word_of(change_error e) {
  switch (e) {
  case change_error::none:
    return "taken";
  case change_error::not_leader:
    return "refused: it does not lead";
  case change_error::pending:
    return "refused: another change is under way";
  default:
    return "refused";
  }
}

bool is_beat(const message& m) {
  return std::holds_alternative<heartbeat>(m) || std::holds_alternative<heartbeat_response>(m);
}

} // namespace

std::string transcript::state_of(const cluster::node& n) const {
  if (!n.c) return "down";
  const core& c = *n.c;
  std::string s = std::string(word_of(c.soft().role)) + ", term " + std::to_string(c.hard().term.value());
  if (c.hard().vote) s += ", voted for " + std::to_string(c.hard().vote.value());
  s += ", log";
  const log_index start = c.first_index().prev();
  if (start) s += " from " + std::to_string(start.value());
  std::string before = text_of(c.members_at(start));
  for (log_index i = c.first_index(); i <= c.last_index(); i = i.next()) {
    const std::string members = text_of(c.members_at(i));
    s += " " + std::to_string(c.term_at(i).value()) + (members == before ? "" : "*");
    before = members;
  }
  s += ", commit " + std::to_string(c.commit().value()) + ", members " + text_of(c.members());
  if (c.persisted_index() < c.last_index()) s += ", durable up to " + std::to_string(c.persisted_index().value());
  return s;
}

void transcript::tell_states() {
  for (std::uint64_t n = 1; n <= cluster_->size(); ++n) {
    std::string now = state_of(cluster_->at(n));
    if (states_[n] == now) continue;
    tell(std::to_string(n) + ": " + now);
    states_[n] = std::move(now);
  }
}

void transcript::sent(const envelope& e) {
  if (!shows_messages_ || is_beat(e.message)) return;
  const bool lost = !cluster_->connected(e.from, e.to) || (cluster_->drop && cluster_->drop(e));
  tell(std::to_string(e.from.value()) + " > " + std::to_string(e.to.value()) + "  " + (lost ? "lost: " : "") +
       text_of(e.message));
}

void transcript::begin(const std::vector<std::string>& words) {
  if (words.front() != "nodes") throw std::runtime_error("the first command is 'nodes N'");
  const std::uint64_t n = number_in(words, 1);
  const bool some = words.size() > 2 && words[2] == "members";
  cluster_ = std::make_unique<cluster>(n, some ? members_in(words, 3) : voters(n));
  cluster_->watched = this;
}

void transcript::obey(const std::vector<std::string>& words) {
  if (!cluster_) return begin(words);
  cluster& c = *cluster_;
  const std::string& what = words.front();
  const auto node = [&](std::size_t at = 1) {
    const std::uint64_t n = number_in(words, at);
    if (n == 0 || n > c.size()) throw std::runtime_error("there is no node " + words[at]);
    return n;
  };
  const auto is = [&](std::string_view first, std::string_view second) {
    return what == first && words.size() > 1 && words[1] == second;
  };
  if (what == "elect") {
    c.elect(node());
  } else if (what == "campaign") {
    c[node()].campaign();
  } else if (what == "propose") {
    if (!c.propose(node(), words.size() > 2 ? words[2] : "x")) tell("refused");
  } else if (what == "change") {
    tell(word_of(c.change(node(), members_in(words, 2))));
  } else if (what == "transfer") {
    tell(c[node()].transfer_leadership(id(node(3))) ? "taken" : "refused");
  } else if (what == "snapshot") {
    c.compact(node(), words.size() > 3 ? number_in(words, 3) : 0);
  } else if (what == "settle") {
    c.settle();
  } else if (what == "run") {
    c.run(static_cast<std::uint32_t>(number_in(words, 1)));
  } else if (what == "tick") {
    c.tick(node(), static_cast<std::uint32_t>(number_in(words, 2)));
  } else if (what == "cut") {
    c.cut(node(1), node(2));
  } else if (what == "isolate") {
    c.isolate(node());
  } else if (what == "heal") {
    c.heal();
  } else if (is("lose", "appends")) {
    c.drop = no_appends_to(numbers_in(words, 3));
  } else if (is("lose", "nothing")) {
    c.drop = nullptr;
  } else if (what == "crash") {
    c.crash(node());
  } else if (what == "restart") {
    c.restart(node());
  } else if (is("slow", "disk") || is("quick", "disk")) {
    c.at(node(2)).slow_disk = what == "slow";
  } else if (is("show", "messages") || is("hide", "messages")) {
    shows_messages_ = what == "show";
  } else {
    throw std::runtime_error("'" + what + "' is no command");
  }
}

std::string transcript::run(std::string_view page) {
  std::istringstream in{std::string(page)};
  std::string out;
  bool commands = false; ///< of this block
  bool results = false;
  const auto end_block = [&] {
    if (commands) {
      tell_states();
      out += "----\n" + std::exchange(told_, {});
      if (!cluster_->seen.broken().empty()) out += "BROKEN: " + cluster_->seen.broken() + '\n';
    }
    commands = results = false;
  };
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) {
      end_block();
      out += '\n';
    } else if (line == "----") {
      results = true;
    } else if (!results) {
      out += line + '\n';
      if (line.front() == '#') continue;
      commands = true;
      try {
        obey(words_in(line));
      } catch (const std::exception& e) {
        throw std::runtime_error("line " + std::to_string(number) + ": " + e.what());
      }
    }
  }
  end_block();
  return out;
}

} // namespace quorumd::raft::test
