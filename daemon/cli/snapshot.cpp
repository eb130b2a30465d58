#include "config/exit_codes.hpp"
#include "consensus/storage/posix_files.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/node_settings.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/snapshot_save.hpp"
#include "daemon/cli/snapshot_text.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"
#include "daemon/node/offline.hpp"
#include "daemon/options.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

/// A bar of bytes, for as long as the file is worked on.
class file_bar {
 public:
  explicit file_bar(std::string_view what)
      : bar_(what, clock_.now()) {}
  [[nodiscard]] storage::snapshot_progress progress() {
    return [this](std::uint64_t done, std::uint64_t total) {
      const double share = total == 0 ? -1 : static_cast<double>(done) / static_cast<double>(total);
      bar_.update(std::min(share, 1.0), done, clock_.now());
    };
  }

 private:
  coro::steady_clock clock_;
  progress_bar bar_;
};

int run_snapshot_status(const invocation& in) {
  const std::string& path = in.argument(1);
  storage::posix_files files;
  const auto found = [&] {
    file_bar bar("bytes read");
    return node::examine_snapshot(files, path, bar.progress());
  }();
  if (!found) return complain(found.error());
  return print(in.json() ? snapshot_json(path, *found) : snapshot_text(path, *found));
}

int run_restore(const invocation& in) {
  const auto read = settings_of(in);
  if (read.has_error()) return complain(read.error());
  const auto settings = (*read)();
  if (settings.has_error()) return complain(settings.error());
  if (settings->cluster.joins())
    return complain(
        usage("snapshot restore: a cluster begins with it: name its first members in cluster.members, not one "
              "to join"));
  node::node_options options = daemon::node_options_of(*settings);
  const node::restore_plan plan{.data_dir = std::move(options.data_dir),
                                .self = std::move(options.self),
                                .state = {.as_of = revision(in.count("revision")), .raise = in.count("bump-revision")},
                                .compact = in.has("mark-compacted")};
  storage::posix_files files;
  coro::system_entropy entropy;
  const auto restored = [&] {
    file_bar bar("bytes");
    return node::restore_snapshot(files, entropy, in.argument(1), plan, bar.progress());
  }();
  if (!restored) return complain(restored.error());
  const int code = print(in.json() ? snapshot_json(plan.data_dir, *restored) : snapshot_text(plan.data_dir, *restored));
  if (settings->cluster.members.size() > 1)
    remark("restore the same file with the same options on every member, and then start them");
  return code;
}

/// The options that mean something to one action alone.
struct own_option {
  std::string_view name;
  std::string_view action;
};
constexpr std::array<own_option, 9> own_options{{{"config", "restore"},
                                                 {"data-dir", "restore"},
                                                 {"name", "restore"},
                                                 {"set", "restore"},
                                                 {"revision", "restore"},
                                                 {"bump-revision", "restore"},
                                                 {"mark-compacted", "restore"},
                                                 {"stale", "save"},
                                                 {"force", "save"}}};

int run_snapshot(const invocation& in) {
  const std::string& action = in.argument(0);
  for (const own_option& o : own_options)
    if (in.has(o.name) && o.action != action)
      return complain(usage("snapshot " + action + ": --" + std::string(o.name) + " is an option of snapshot " +
                            std::string(o.action)));
  if (action == "status") return run_snapshot_status(in);
  if (action == "restore") return run_restore(in);
  if (action == "save") return run_save(in);
  return complain(no_such_action(in.command(), action));
}

std::vector<option_spec> options() {
  std::vector<option_spec> all = node_options();
  const std::vector<option_spec> more = {
      {"revision", "R", option_kind::positive, "restore: the state at that revision, if the snapshot's history has it"},
      {"bump-revision", "N", option_kind::count, "restore: let the revision begin so much higher"},
      {"mark-compacted", "", option_kind::flag,
       "restore: without history, so that whoever watches from an earlier revision is told so"},
      {"stale", "", option_kind::flag, "save: what the asked node has, which may lag behind; needs no majority"},
      {"force", "", option_kind::flag, "save: write over FILE"}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

} // namespace

command_spec snapshot_command() {
  return {
      .name = "snapshot",
      .summary = "back a whole cluster up with its history, look at a backup, begin a cluster from one",
      .arguments = {{"save|status|restore"}, {"FILE"}},
      .options = options(),
      .details =
          "  save FILE      a snapshot of everything acknowledged so far, from the node that answers; checked as it\n"
          "                 is written. The cluster goes on meanwhile\n"
          "  status FILE    reads all of the file, compares every checksum, and prints what it holds\n"
          "  restore FILE   makes the data directory of a member of a new cluster, which is named as by serve: with\n"
          "                 --config, or --data-dir for a cluster of one. It must be empty. On every member of the\n"
          "                 new cluster, with the same file and options; then start them\n"
          "A restored cluster has a number of its own: members and data directories of the old one are refused by it.\n"
          "Clients that remember revisions of the old cluster see them go back to the snapshot's, unless it is begun\n"
          "higher: --bump-revision 1000000000 --mark-compacted is a good choice where somebody watches.",
      .examples = {"quorumd snapshot save backup.snap",
                   "quorumd snapshot save backup.snap --endpoint 10.0.0.2:2379 --stale",
                   "quorumd snapshot status backup.snap",
                   "quorumd snapshot restore backup.snap --config /etc/quorumd/quorumd.yaml",
                   "quorumd snapshot restore backup.snap --data-dir /tmp/look --revision 4711"},
      .run = run_snapshot};
}

} // namespace quorumd::cli
