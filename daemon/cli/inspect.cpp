#include "consensus/storage/inspect.hpp"
#include "config/exit_codes.hpp"
#include "consensus/storage/posix_files.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <cstdio>
#include <utility>

namespace quorumd::cli {
namespace {

const char* name_of(storage::inspected_kind kind) {
  switch (kind) {
  case storage::inspected_kind::segment:
    return "segment";
  case storage::inspected_kind::batch:
    return "batch";
  case storage::inspected_kind::record:
    return "record";
  case storage::inspected_kind::snapshot:
    return "snapshot";
  case storage::inspected_kind::block:
    return "block";
  case storage::inspected_kind::end:
    return "end";
  default:
    return "problem";
  }
}

/// Prints what is found as it is found: a file can be large.
class finding_printer {
 public:
  explicit finding_printer(bool json)
      : json_(json) {}

  void take(const storage::inspected& found) {
    ++found_;
    if (found.kind == storage::inspected_kind::problem) ++problems_;
    if (json_)
      take_json(found);
    else
      take_text(found);
    constexpr std::size_t enough = std::size_t{64} * 1024;
    if (out_.size() >= enough) flush();
  }

  /// The exit code.
  int finish() {
    if (json_) out_ += found_ == 0 ? "[]\n" : "\n]\n";
    flush();
    if (problems_ != 0) {
      complain(counted(problems_, "problem") + " that a start would refuse");
      return config::exit_code::corruption;
    }
    return code_;
  }

 private:
  void take_json(const storage::inspected& found) {
    out_ += found_ == 1 ? "[\n" : ",\n";
    json_writer w(out_);
    w.begin_object().key("path").text(found.path).key("offset").number(found.offset).key("bytes").number(found.bytes);
    w.key("kind").text(name_of(found.kind)).key("text").text(found.text).end_object();
  }

  void take_text(const storage::inspected& found) {
    if (found.path != path_) {
      path_ = found.path;
      out_ += path_ + "\n";
    }
    char columns[64];
    std::snprintf(columns, sizeof columns, "%12llu %9llu  %-8s  ", static_cast<unsigned long long>(found.offset),
                  static_cast<unsigned long long>(found.bytes), name_of(found.kind));
    out_ += columns + found.text + "\n";
  }

  void flush() {
    if (!closed_) closed_ = !print_part(out_, code_);
    out_.clear();
  }

  bool json_;
  std::string out_;
  std::string path_;
  std::uint64_t found_ = 0;
  std::uint64_t problems_ = 0;
  bool closed_ = false;
  int code_ = config::exit_code::ok;
};

int run_inspect(const invocation& in) {
  const std::string& what = in.argument(0);
  if (what != "wal" && what != "snapshot")
    return complain(usage("inspect: what to read is wal or snapshot, not " + shown(what)));
  storage::posix_files files;
  finding_printer printer(in.json());
  const storage::inspection_sink sink = [&](const storage::inspected& found) { printer.take(found); };
  const auto read = what == "wal" ? storage::inspect_wal(files, in.argument(1), sink)
                                  : storage::inspect_snapshot(files, in.argument(1), sink);
  const int code = printer.finish();
  if (!read.has_error()) return code;
  complain(read.error().message());
  return read.error().code == storage::error_code::not_found ? config::exit_code::usage : config::exit_code::disk;
}

} // namespace

command_spec inspect_command() {
  return {
      .name = "inspect",
      .summary = "read a log or a snapshot offline: inspect wal|snapshot PATH",
      .arguments = {{"wal|snapshot"}, {"PATH"}},
      .details =
          "PATH is a snapshot file, a segment of the log, the directory of the segments, or a data directory. Nothing\n"
          "is written and no lock is taken, so the files may be a running node's (what it writes meanwhile may then\n"
          "look damaged) or a copy. A line is the offset, the bytes, what stands there, and what it says. Exits with\n"
          "71 if there is something that a start would refuse.",
      .examples = {"quorumd inspect wal /var/lib/quorumd/wal",
                   "quorumd inspect snapshot /var/lib/quorumd/snapshots/1-42.snap --output json"},
      .run = run_inspect,
      .common = {.endpoints = false, .timeout = false}};
}

} // namespace quorumd::cli
