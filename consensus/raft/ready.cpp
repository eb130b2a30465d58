#include "consensus/raft/ready.hpp"

#include <utility>
#include <variant>

namespace quorumd::raft {
namespace {

// Bounds what an idle output holds on to.
constexpr std::size_t recycled_max = 64;

void clear_messages(std::vector<outgoing>& messages, std::vector<std::vector<entry>>& recycled) {
  for (outgoing& o : messages) {
    auto* append = std::get_if<append_request>(&o.message);
    if (append == nullptr || append->entries.capacity() == 0 || recycled.size() == recycled_max) continue;
    append->entries.clear();
    recycled.push_back(std::move(append->entries));
  }
  messages.clear();
}

} // namespace

void ready::clear() {
  number = write_number();
  hard.reset();
  install.reset();
  entries.clear();
  commit = log_index();
  clear_messages(messages, recycled);
  clear_messages(after_persist, recycled);
  committed.clear();
  reads.clear();
  loads.clear();
  snapshots.clear();
  soft.reset();
  members = false;
}

bool ready::empty() const {
  return !number && !hard && !install && entries.empty() && messages.empty() && after_persist.empty() &&
         committed.empty() && reads.empty() && loads.empty() && snapshots.empty() && !soft && !members;
}

} // namespace quorumd::raft
