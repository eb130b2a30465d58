#include "config/exit_codes.hpp"
#include "consensus/storage/posix_files.hpp"
#include "consensus/types/hex.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/node_settings.hpp"
#include "daemon/cli/snapshot_text.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"
#include "daemon/node/offline.hpp"

#include <utility>

namespace quorumd::cli {
namespace {

/// Whose directory it is, and where others are to dial the member.
struct survivor {
  std::string data_dir;
  std::string address;
};

result<survivor> survivor_of(const invocation& in) {
  survivor s{.data_dir = in.text("data-dir"), .address = in.text("peer")};
  if (!s.address.empty()) {
    const auto parsed = config::parse_address(s.address);
    if (!parsed)
      return usage("recover --peer: " + shown(s.address) +
                   " is no HOST:PORT at which other members could dial this one");
  }
  if (!in.has("config")) {
    if (in.has("set")) return usage("recover: --set overrides a key of the configuration: add --config FILE");
    if (s.data_dir.empty()) return usage("recover: --data-dir D or --config FILE is missing");
    return s;
  }
  const auto read = settings_of(in);
  if (read.has_error()) return read.error();
  const auto settings = (*read)();
  if (settings.has_error()) {
    const int code = complain(settings.error());
    return error(code, "recover: the configuration is not usable");
  }
  s.data_dir = settings->node.data_dir.string();
  if (s.address.empty() && !settings->cluster.joins()) s.address = settings->advertise.peer.text();
  return s;
}

std::string described(const std::string& data_dir, const node::directory_contents& c) {
  std::vector<std::vector<std::string>> lines;
  std::string who;
  append_escaped(who, c.identity.node_name);
  lines.push_back({"member", who});
  lines.push_back({"cluster", c.identity.cluster_name + " (number " + hex64(c.identity.cluster.value()) + ")"});
  lines.push_back({"members", c.roster.index ? members_text(c.roster) : "unknown: they were never changed"});
  lines.push_back({"last entry", grouped(c.last.value()) + ", of term " + grouped(c.last_term.value())});
  lines.push_back({"committed", "up to " + grouped(c.commit.value()) + " at least"});
  return data_dir + "\n" + in_columns(lines);
}

std::string json_of(const node::directory_contents& c) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("member").text(c.identity.node_name).key("cluster").text(c.identity.cluster_name);
  w.key("cluster_id").text(hex64(c.identity.cluster.value())).key("last_index").number(c.last.value());
  w.key("last_term").number(c.last_term.value()).key("commit").number(c.commit.value());
  append_members(w, c.roster);
  w.end_object();
  return out + "\n";
}

int show(const invocation& in, const survivor& s, const node::directory_contents& c) {
  if (in.json()) return print(json_of(c));
  const int code = print(described(s.data_dir, c));
  remark("nothing was changed. Of several survivors go on from the one with the highest term of its last entry, and "
         "among equals with the highest last entry: quorumd recover --data-dir " +
         s.data_dir + " --force-new-cluster");
  return code;
}

int tell_done(const invocation& in, const node::directory_contents& c) {
  const std::uint64_t unknown = c.last - c.commit;
  const std::string kept = unknown == 0 ? std::string()
                                        : ", " + std::to_string(unknown) +
                                              " of them not known to be committed: some may have been acknowledged";
  if (in.json()) return print(json_of(c));
  const int code = print(c.identity.node_name + " is the only member of cluster " + c.identity.cluster_name +
                         " now, which has number " + hex64(c.identity.cluster.value()) + "\n");
  remark("its log counts up to entry " + std::to_string(c.last.value()) + kept);
  remark("start it, and then bring back the others, each with an empty data directory: 'quorumd member add "
         "NAME=HOST:PORT' here, 'quorumd serve --join HOST:PORT' there");
  return code;
}

int run_recover(const invocation& in) {
  const auto s = survivor_of(in);
  if (s.has_error()) return complain(s.error());
  storage::posix_files files;
  coro::system_entropy entropy;
  const bool forced = in.has("force-new-cluster");
  const auto done = forced ? node::force_new_cluster(files, entropy, s->data_dir, s->address)
                           : node::examine(files, entropy, s->data_dir);
  if (done) return forced ? tell_done(in, *done) : show(in, *s, *done);
  return complain(done.error());
}

} // namespace

command_spec recover_command() {
  return {
      .name = "recover",
      .summary = "go on from one member's data directory when the majority is lost for good",
      .options = {{"data-dir", "D", option_kind::text, "the directory of the member that is left, which is stopped"},
                  {"config", "FILE", option_kind::text, "instead: that member's configuration"},
                  {"set", "KEY=VALUE", option_kind::text, "override a key of the configuration; may be repeated", true},
                  {"force-new-cluster", "", option_kind::flag, "make it the only member; without this, only look"},
                  {"peer", "HOST:PORT", option_kind::text, "where other members dial it, if its log does not say so"}},
      .details =
          "Without --force-new-cluster nothing is changed: what the directory holds is printed, so that of several\n"
          "survivors the one that has most can be chosen. With it the member is the only one of a cluster with a new\n"
          "number: whatever comes back of the old one is refused by it, and must be emptied before it joins again.\n"
          "Every entry of its log counts from then on. What it lacks of what was acknowledged is lost: as long as a\n"
          "majority of the members can be started, start them instead.",
      .examples = {"quorumd recover --data-dir /var/lib/quorumd",
                   "quorumd recover --data-dir /var/lib/quorumd --force-new-cluster",
                   "quorumd recover --config /etc/quorumd/quorumd.yaml --force-new-cluster"},
      .run = run_recover,
      .common = {.endpoints = false, .timeout = false}};
}

} // namespace quorumd::cli
