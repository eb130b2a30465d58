#include "daemon/cli/args.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/other_words.hpp"
#include "daemon/cli/target.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

using words = std::vector<std::string>;

std::string mistake(words w) {
  const auto r = parse_command_line(all_commands(), std::move(w));
  if (!r.has_error()) return "no mistake";
  CHECK(r.error().exit_code() == 64);
  return r.error().message();
}

invocation understood(words w) {
  auto r = parse_command_line(all_commands(), std::move(w));
  REQUIRE(r.has_value());
  return std::get<invocation>(*r);
}

} // namespace

// A subcommand with its arguments and options, in every order.
TEST_CASE("options before and after the arguments") {
  for (const words& w : std::vector<words>{{"get", "k", "--limit", "5", "--prefix"},
                                           {"get", "--limit", "5", "--prefix", "k"},
                                           {"get", "--limit=5", "k", "--prefix"}}) {
    const invocation in = understood(w);
    CHECK(in.command().name == "get");
    CHECK(in.argument(0) == "k");
    CHECK(in.count("limit") == 5);
    CHECK(in.has("prefix"));
    CHECK_FALSE(in.has("stale"));
  }
}

// Global options stand before the subcommand, with their values told apart from it, or after it.
TEST_CASE("global options anywhere") {
  for (const words& w : std::vector<words>{{"--timeout", "2s", "--output", "json", "--endpoint", "a:1", "get", "k"},
                                           {"--timeout=2s", "--output=json", "get", "k", "--endpoint=a:1"},
                                           {"get", "--timeout", "2s", "k", "--output", "json", "--endpoint", "a:1"}}) {
    const invocation in = understood(w);
    CHECK(in.command().name == "get");
    CHECK(in.argument(0) == "k");
    CHECK(in.duration("timeout", std::chrono::seconds(5)) == std::chrono::seconds(2));
    CHECK(in.json());
    CHECK(in.text("endpoint") == "a:1");
  }
  // A value that looks like a subcommand is a value.
  CHECK(understood({"--socket", "put", "get", "k"}).command().name == "get");
  CHECK(understood({"--socket", "put", "get", "k"}).text("socket") == "put");
}

// After '--' everything is an argument; '-' and the empty word are arguments anyway.
TEST_CASE("the end of options") {
  const invocation dashes = understood({"put", "--", "--prefix", "-5"});
  CHECK(dashes.argument(0) == "--prefix");
  CHECK(dashes.argument(1) == "-5");
  CHECK(understood({"put", "k", "-"}).argument(1) == "-");
  CHECK(understood({"put", "k", ""}).argument(1).empty());
  CHECK(understood({"--", "get", "k"}).argument(0) == "k");
  CHECK(understood({"put", "k", "--", "--help"}).argument(1) == "--help");
}

// Repeated options keep all their values, in order.
TEST_CASE("repeated options") {
  const invocation in = understood({"check-config", "f", "--set", "a=1", "--set", "b=2,3"});
  CHECK(in.all("set") == words{"a=1", "b=2,3"});
  CHECK(in.all("endpoint").empty());
}

// Every mistake is one line that says what to do.
TEST_CASE("mistakes") {
  const std::vector<std::pair<words, std::string>> cases = {
      {{}, "a subcommand is missing (see 'quorumd help')"},
      {{"--timeout", "2s"}, "a subcommand is missing (see 'quorumd help')"},
      {{"gte", "k"}, "'gte' is not a subcommand, did you mean 'get'? (see 'quorumd help')"},
      {{"stauts"}, "'stauts' is not a subcommand, did you mean 'status'? (see 'quorumd help')"},
      {{"frobnicate"}, "'frobnicate' is not a subcommand (see 'quorumd help')"},
      {{"--limit", "5", "get", "k"}, "no option '--limit' stands before a subcommand (see 'quorumd help')"},
      {{"--endpiont=a:1", "get", "k"},
       "no option '--endpiont' stands before a subcommand, did you mean '--endpoint'? (see 'quorumd help')"},
      {{"get", "k", "--prefx"}, "get: no option '--prefx', did you mean '--prefix'? (see 'quorumd help get')"},
      {{"get", "k", "--pre"}, "get: no option '--pre' (see 'quorumd help get')"},
      {{"get"}, "get: KEY is missing (see 'quorumd help get')"},
      {{"put", "k"}, "put: VALUE is missing (see 'quorumd help put')"},
      {{"put", "k", "v", "w"}, "put: 'w' is one argument too many (see 'quorumd help put')"},
      {{"get", "k", "--limit", "x"}, "get: --limit expects a whole number and got 'x' (see 'quorumd help get')"},
      {{"get", "k", "--limit", "5", "--limit", "6"}, "get: --limit is given twice (see 'quorumd help get')"},
      {{"--timeout", "1s", "get", "k", "--timeout", "2s"}, "get: --timeout is given twice (see 'quorumd help get')"},
      {{"get", "k", "--timeout", "5"},
       "get: --timeout expects a duration such as 500ms or 5s and got '5' (see 'quorumd help get')"},
      {{"get", "k", "--output", "xml"}, "get: --output expects text|json and got 'xml' (see 'quorumd help get')"},
      {{"get", "k", "--output", "text|json"},
       "get: --output expects text|json and got 'text|json' (see 'quorumd help get')"},
      {{"bench", "put", "--clients", "0"},
       "bench: --clients expects a whole number from 1 and got '0' (see 'quorumd help bench')"},
      {{"get", "k", "--endpoint", "a:1", "--socket", "s"},
       "get: --endpoint and --socket exclude each other (see 'quorumd help get')"},
  };
  for (const auto& [w, what] : cases) {
    CAPTURE(what);
    CHECK(mistake(w) == what);
  }
  CHECK(find_command(all_commands(), "exprot").error().message() ==
        "'exprot' is not a subcommand, did you mean 'export'? (see 'quorumd help')");
  CHECK(mistake({"put", "k", "-5"}).find("an argument that begins with a dash comes after '--'") != std::string::npos);
  CHECK(mistake({"get", "k", "--limit"}).starts_with("get: "));
}

// Dashes without a name are mistakes like others, before the subcommand and after it.
TEST_CASE("options without a name") {
  for (const std::string word : {"-=", "-=x", "--=", "--=x", "---", "---=x", "-w=", "-w=x", "-w"}) {
    CAPTURE(word);
    CHECK(mistake({word}) != "no mistake");
    CHECK(mistake({word, "get", "k"}) != "no mistake");
    CHECK(mistake({"get", word}) != "no mistake");
    CHECK(mistake({"get", word, "k"}) != "no mistake");
    CHECK(mistake({"get", "k", word}) != "no mistake");
  }
  CHECK(mistake({"-=x"}) == "no option '-' stands before a subcommand (see 'quorumd help')");
  CHECK(mistake({"--=x"}) == "no option '--' stands before a subcommand (see 'quorumd help')");
  CHECK(mistake({"get", "--=x"}) == "get: no option '--' (see 'quorumd help get')");
  CHECK(understood({"get", "--", "--=x"}).argument(0) == "--=x");
  CHECK(mistake({"-"}) == "'-' is not a subcommand (see 'quorumd help')");
  CHECK(mistake({"--"}) == "a subcommand is missing (see 'quorumd help')");
}

// A word of another tool is answered by what does it here, or by that it is not in this version.
TEST_CASE("words of other tools") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"set", "'put'"},
      {"delete", "'del'"},
      {"ls", "'get PREFIX --prefix'"},
      {"subscribe", "quorumd watch"},
      {"auth", "not in this version"},
      {"mutex", "'lock'"},
      {"members", "'member'"},
      {"move-leader", "'leader transfer [NODE]'"},
      {"endpoint", "'health'"},
      {"backup", "'snapshot save'"},
      {"compaction", "'compact'"},
      {"start", "'serve'"},
      {"defrag", "nothing to do"},
  };
  for (const auto& [word, answer] : cases) {
    const std::string what = mistake({word, "x"});
    CAPTURE(what);
    CHECK(what.starts_with("'" + word + "': "));
    CHECK(what.find(answer) != std::string::npos);
  }
  // None of them hides a command of its own.
  for (const auto& c : all_commands()) CHECK(other_command(c.name).empty());
  CHECK(other_command("").empty());
  CHECK(other_command("set insert").empty());
  CHECK(mistake({"put", "k", "v", "--user", "5"}).find("users and passwords are not in this version") !=
        std::string::npos);
  CHECK(mistake({"put", "k", "v", "--user=5"}).find("users and passwords are not in this version") !=
        std::string::npos);
  CHECK(mistake({"--cacert", "f", "get", "k"}).find("TLS is not in this version") != std::string::npos);
}

// etcdctl's short option and names are understood; a choice is taken in any case.
TEST_CASE("etcdctl's spellings") {
  for (const words& w : std::vector<words>{{"-w", "json", "get", "k"},
                                           {"-wjson", "get", "k"},
                                           {"get", "k", "-w", "JSON"},
                                           {"get", "k", "-wjson"},
                                           {"get", "k", "--write-out=json"},
                                           {"--write-out", "json", "get", "k"}})
    CHECK(understood(w).json());
  const invocation in = understood({"--endpoints", "a:1", "get", "k", "--rev=7", "--command-timeout", "2s", "--order",
                                    "DESCEND", "--sort-by=Modify"});
  CHECK(in.text("endpoint") == "a:1");
  CHECK(in.count("revision") == 7);
  CHECK(in.duration("timeout", std::chrono::seconds(5)) == std::chrono::seconds(2));
  CHECK(in.text("order") == "descend");
  CHECK(in.text("sort-by") == "modify");
  CHECK(mistake({"get", "k", "--rev", "1", "--revision", "2"}).starts_with("get: --revision is given twice"));
}

// An option that means nothing to a subcommand is neither taken nor shown.
TEST_CASE("options that mean nothing") {
  CHECK(mistake({"version", "--endpoint", "a:1"}) ==
        "version: --endpoint means nothing to it (see 'quorumd help version')");
  CHECK(mistake({"--timeout", "1s", "inspect", "wal", "d"}).starts_with("inspect: --timeout means nothing to it"));
  CHECK(mistake({"serve", "--data-dir", "d", "-w", "json"}).starts_with("serve: --output means nothing to it"));
  CHECK(mistake({"export", "--output", "json"}).find("the form is chosen with --format") != std::string::npos);
  const auto version = find_command(all_commands(), "version");
  CHECK(help_text(**version).find("--endpoint") == std::string::npos);
  CHECK(help_text(**version).find("--output") != std::string::npos);
}

// Help is there for the whole, for each subcommand in three spellings, and shows examples and every option.
TEST_CASE("help") {
  for (const words& w : std::vector<words>{{"--help"}, {"-h"}, {"--help", "--output", "json"}}) {
    const auto r = parse_command_line(all_commands(), w);
    REQUIRE(r.has_value());
    REQUIRE(std::holds_alternative<help_wanted>(*r));
    CHECK(std::get<help_wanted>(*r).command == nullptr);
  }
  CHECK(understood({"help"}).argument_count() == 0);
  CHECK(understood({"help", "put", "get"}).argument(1) == "get");
  CHECK(understood({"help", "help"}).command().name == "help");
  for (const auto& c : all_commands()) {
    const std::string name(c.name);
    for (const words& w : std::vector<words>{{name, "--help"}, {"--help", name}, {name, "-h"}}) {
      const auto r = parse_command_line(all_commands(), w);
      REQUIRE(r.has_value());
      REQUIRE(std::holds_alternative<help_wanted>(*r));
      CHECK(std::get<help_wanted>(*r).command == &c);
    }
    const std::string text = help_text(c);
    CHECK(text.find("examples:\n  ") != std::string::npos);
    CHECK_FALSE(c.examples.empty());
    for (const auto& o : c.options) CHECK(text.find("--" + std::string(o.name)) != std::string::npos);
    for (const auto& o : global_options(c)) CHECK(text.find("--" + std::string(o.name)) != std::string::npos);
    CHECK(overview(all_commands()).find("\n  " + name + " ") != std::string::npos);
  }
  const auto version = parse_command_line(all_commands(), {"--version"});
  REQUIRE(version.has_value());
  CHECK(std::holds_alternative<version_wanted>(*version));
}

// The command line wins over the variable, the variable over the socket, the socket over the default.
TEST_CASE("whom to talk to") {
  const auto names = [](const words& w, const char* variable, bool socket, const char* plural = nullptr) {
    const auto found = find_endpoints(understood(w), {variable, plural}, socket);
    std::string out;
    if (found.has_error()) return found.error().message();
    for (const auto& e : *found) out += e.name() + " ";
    return out;
  };
  CHECK(names({"status"}, nullptr, false) == "127.0.0.1:2379 ");
  CHECK(names({"status"}, "", false) == "127.0.0.1:2379 ");
  CHECK(names({"status"}, nullptr, true) == "/run/quorumd/admin.sock ");
  CHECK(names({"status"}, "h:1,[::1]:2", true) == "h:1 [::1]:2 ");
  CHECK(names({"status"}, nullptr, true, "h:1") == "h:1 ");
  CHECK(names({"status"}, "h:1", true, "h:1") == "h:1 ");
  CHECK(names({"status"}, "h:1", true, "h:2") ==
        "QUORUMD_ENDPOINT and QUORUMD_ENDPOINTS are both set, and differ: unset one of them");
  CHECK(names({"status", "--endpoint", "a:1,b:2"}, "h:1", true) == "a:1 b:2 ");
  CHECK(names({"status", "--socket", "x.sock"}, "h:1", true) == "x.sock ");
  CHECK(names({"status"}, "a:99999", true) ==
        "QUORUMD_ENDPOINT: expected HOST:PORT, or several with commas between, and got 'a:99999'");
  CHECK(names({"status", "--socket", std::string(108, 's')}, nullptr, true).starts_with("--socket expects a path"));
}

// A bare host gets the port, http:// and blanks are left out, and what cannot be understood is refused by name.
TEST_CASE("spellings of an endpoint") {
  const auto read = [](std::string_view list) {
    const auto found = parse_endpoints(list, "--endpoint");
    std::string out;
    if (found.has_error()) return found.error().message();
    for (const auto& e : *found) out += e.name() + " ";
    return out;
  };
  CHECK(read("db") == "db:2379 ");
  CHECK(read("10.0.0.1, 10.0.0.2:1 ,\tdb:2\n") == "10.0.0.1:2379 10.0.0.2:1 db:2 ");
  CHECK(read("::1,[::1],[::1]:5,fe80::1") == "[::1]:2379 [::1]:2379 [::1]:5 [fe80::1]:2379 ");
  CHECK(read("http://db:1,http://db/") == "db:1 db:2379 ");
  CHECK(read("https://db:1") == "--endpoint: TLS is not in this version: write 'db:1'");
  CHECK(read("unix:///x.sock").find("--socket PATH") != std::string::npos);
  CHECK(read("/x.sock").find("--socket PATH") != std::string::npos);
  CHECK(read("ftp://db").find("'ftp://' is not understood") != std::string::npos);
  for (const char* bad : {"", "a:1,", ",a:1", "a:1, ,b:2"})
    CHECK(read(bad).find("an endpoint is empty") != std::string::npos);
  for (const char* bad : {"a b:1", "a:1 b:2", ":1", "a:", "a:0", "a:x", "http://", "http://db:1/path"})
    CHECK(read(bad).starts_with("--endpoint: expected HOST:PORT"));
}

} // namespace quorumd::cli
