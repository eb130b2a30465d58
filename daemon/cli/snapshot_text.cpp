#include "daemon/cli/snapshot_text.hpp"

#include "consensus/types/hex.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace quorumd::cli {
namespace {

void append_names(std::string& out, const node::roster& r, std::span<const node_id> ids) {
  std::vector<std::string> names;
  for (const node_id id : ids) names.push_back(r.name_of(id));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    out += out.empty() || out.back() == ' ' ? "" : " ";
    append_escaped(out, name);
  }
}

std::string size_text(std::uint64_t bytes) {
  return grouped(bytes) + " bytes";
}

} // namespace

std::string members_text(const node::roster& r) {
  std::string out;
  append_names(out, r, r.members.voters);
  if (r.members.learners.empty()) return out;
  out += r.members.learners.size() == 1 ? ", learner " : ", learners ";
  append_names(out, r, r.members.learners);
  return out;
}

void append_members(json_writer& w, const node::roster& r) {
  w.key("members").begin_array();
  for (const auto& [id, record] : r.records) {
    const bool votes = std::binary_search(r.members.voters.begin(), r.members.voters.end(), id);
    w.begin_object().key("id").text(hex64(id.value())).key("name").text(record.name);
    w.key("address").text(record.address).key("voter").boolean(votes).end_object();
  }
  w.end_array();
}

std::string snapshot_text(const std::string& path, const node::snapshot_contents& c) {
  std::vector<std::vector<std::string>> lines;
  lines.push_back({"cluster", "number " + hex64(c.info.cluster.value())});
  lines.push_back({"members", c.roster.index ? members_text(c.roster) : "as their configuration files list them"});
  lines.push_back({"entry", grouped(c.info.mark.index.value()) + ", of term " + grouped(c.info.mark.term.value())});
  const bool history = c.compacted < c.current;
  lines.push_back(
      {"revision", grouped(c.current.value()) +
                       (history ? ", with history from " + grouped(std::max<std::uint64_t>(c.compacted.value(), 1))
                                : ", without history")});
  lines.push_back({"keys", grouped(c.keys) + ", " + size_text(c.bytes) + " with their values"});
  lines.push_back({"history", size_text(c.history_bytes) + " in memory"});
  lines.push_back({"hash", hex64(c.hash)});
  lines.push_back({"file", size_text(c.file_bytes)});
  return path + ": whole\n" + in_columns(lines);
}

std::string snapshot_json(const std::string& path, const node::snapshot_contents& c) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("path").text(path).key("cluster_id").text(hex64(c.info.cluster.value()));
  w.key("index").number(c.info.mark.index.value()).key("term").number(c.info.mark.term.value());
  w.key("revision").number(c.current.value()).key("compacted").number(c.compacted.value());
  w.key("keys").number(c.keys).key("bytes").number(c.bytes).key("history_bytes").number(c.history_bytes);
  w.key("hash").text(hex64(c.hash)).key("file_bytes").number(c.file_bytes);
  append_members(w, c.roster);
  w.end_object();
  return out + "\n";
}

} // namespace quorumd::cli
