#include "daemon/cli/other_words.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace quorumd::cli {
namespace {

struct entry {
  std::string_view words; ///< with spaces between and around
  std::string_view answer;
};

constexpr std::array<entry, 26> commands{{
    {" set insert write store cas ", "a key is set with 'put' (see 'quorumd help put')"},
    {" read fetch show cat ", "a key is read with 'get' (see 'quorumd help get')"},
    {" ls list scan keys range ", "keys are listed with 'get PREFIX --prefix', which with --keys-only leaves the "
                                  "values out (see 'quorumd help get')"},
    {" count size dbsize ", "keys are counted with 'get PREFIX --prefix --count-only' (see 'quorumd help get')"},
    {" delete rm remove unset erase ", "keys are deleted with 'del' (see 'quorumd help del')"},
    {" transaction multi batch begin ", "several operations at once are a 'txn' (see 'quorumd help txn')"},
    {" compaction ", "history is forgotten with 'compact' (see 'quorumd help compact')"},
    {" backup dump save ", "a whole cluster is backed up with 'snapshot save', and its keys as text with 'export' (see "
                           "'quorumd help snapshot')"},
    {" restore load ",
     "a cluster begins with a backup by 'snapshot restore', and what 'export' wrote is read back with 'import'"},
    {" force-new-cluster repair rescue ",
     "what a lost majority leaves goes on with 'recover' (see 'quorumd help recover')"},
    {" make-mirror mirror ", "a copy of every key is 'quorumd export | quorumd import - --endpoint OTHER'"},
    {" endpoint ping ", "whether a node serves says 'health', and 'status' has a row for each node"},
    {" members nodes peers join ", "the members are listed and changed with 'member' (see 'quorumd help member')"},
    {" hashkv ", "'hash' compares the members' keys (see 'quorumd help hash')"},
    {" alarms ", "'alarm list' says which members take no puts (see 'quorumd help alarm')"},
    {" info stats cluster ", "'status' has a row for each node (see 'quorumd help status')"},
    {" subscribe ", "what it does is 'quorumd watch'"},
    {" election campaign ", "whoever stands for election does so with 'elect' (see 'quorumd help elect')"},
    {" mutex semaphore ", "a name that one holds at a time is a 'lock' (see 'quorumd help lock')"},
    {" auth user role login acl ",
     "users and passwords are not in this version: keep the client port within a network that you trust"},
    {" move-leader transfer stepdown ", "leadership is handed over with 'leader transfer [NODE]'"},
    {" defrag downgrade upgrade ", "there is nothing to do: quorumd needs no such step"},
    {" check perf benchmark ", "throughput and latency are measured with 'bench' (see 'quorumd help bench')"},
    {" start run server agent daemon up ", "a node is run with 'serve' (see 'quorumd help serve')"},
    {" validate lint configtest config ", "a configuration is checked with 'check-config FILE'"},
    {" stop kill shutdown reload restart down logs ",
     "a node is a service: 'systemctl stop', 'reload' or 'restart quorumd', and its log is 'journalctl -u quorumd'"},
}};

constexpr std::array<entry, 8> options{{
    {" cacert cert key insecure-transport insecure-skip-tls-verify tls discovery-srv ", "TLS is not in this version"},
    {" user password ", "users and passwords are not in this version"},
    {" consistency serializable ", "a read of this node's own state, which may lag behind, is --stale"},
    {" host port hosts server ", "the nodes to talk to are named with --endpoint HOST:PORT"},
    {" json format-json ", "results are printed as JSON with --output json"},
    {" peer-urls peer-url ", "a member's address is written behind its name: NAME=HOST:PORT"},
    {" learner ", "a new member is a learner until it has caught up; with --no-promote it stays one"},
    {" interactive ", "a transaction is read from standard input"},
}};

std::string answer(std::span<const entry> entries, std::string_view word) {
  if (word.empty() || word.find(' ') != std::string_view::npos) return {};
  const std::string wanted = " " + std::string(word) + " ";
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const entry& e) { return e.words.find(wanted) != std::string_view::npos; });
  return found == entries.end() ? std::string() : std::string(found->answer);
}

} // namespace

std::string other_command(std::string_view word) {
  return answer(commands, word);
}

std::string other_option(std::string_view name) {
  return answer(options, name);
}

} // namespace quorumd::cli
