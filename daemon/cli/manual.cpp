#include "daemon/cli/manual.hpp"

#include "config/keys.hpp"
#include "daemon/version/version.hpp"

#include <string_view>

namespace quorumd::cli {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

/// A text within a line: what roff would read as its own is said in its words, and everything becomes ASCII.
std::string inline_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '`') {
      out += "\\(ga";
    } else if (c == '^' || c == '~') {
      out += c == '^' ? "\\(ha" : "\\(ti";
    } else if (text.substr(i).starts_with("…")) {
      out += "...";
      i += std::string_view("…").size() - 1;
    } else {
      out += c;
    }
  }
  return out;
}

/// Lines of text: those that begin with a blank keep their form, the others are filled into paragraphs.
void append_text(std::string& out, std::string_view text) {
  bool kept = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (const bool keep = line.starts_with(' '); keep != kept) {
      out += keep ? ".PP\n.nf\n" : ".fi\n.PP\n";
      kept = keep;
    }
    out += "\\&" + inline_text(line) + "\n";
  }
  if (kept) out += ".fi\n";
}

void append_options(std::string& out, std::span<const option_spec> options) {
  for (const auto& o : options) {
    out += ".TP\n";
    if (o.letter != '\0') out += std::string("\\fB\\-") + o.letter + "\\fR, ";
    out += "\\fB\\-\\-" + inline_text(o.name) + "\\fR";
    if (!o.value.empty()) out += " \\fI" + inline_text(o.value) + "\\fR";
    out += "\n\\&" + inline_text(o.help) + ".\n";
  }
}

std::string heading(std::string_view name, int section) {
  return ".\\\" Made from the program's own tables by 'quorumd help --man'.\n.TH " + upper(name) + " " +
         std::to_string(section) + " \"\" \"quorumd " + version::number() + "\" \"quorumd\"\n.SH NAME\n" +
         inline_text(name);
}

constexpr std::string_view endings = R"(.SH EXIT STATUS
.TP
0
Done.
.TP
1
The key is absent (\fBget\fR and \fBdel\fR of a single key).
.TP
2
No connection, or the server's error; the message names the endpoint.
.TP
64
The command line, or its input, cannot be understood.
.TP
70, 71, 74, 75, 76, 78
.B serve
and offline commands: another node's data directory, or one in use; damage; a failed disk; a name or an address to
listen on that did not appear; data of another version; the configuration.
.TP
71
.B status \-\-verify
also: a member's state differs.
.SH ENVIRONMENT
.TP
.BR QUORUMD_ENDPOINT ", " QUORUMD_ENDPOINTS
Whom to talk to, where neither \-\-endpoint nor \-\-socket says it.
.TP
.BR QUORUMD_ \fISECTION\fR _ \fIKEY\fR
For
.B serve
and
.BR check\-config :
a key of the configuration, such as QUORUMD_LISTEN_CLIENT for listen.client.
)";

} // namespace

std::string overview_manual(std::span<const command_spec> commands) {
  std::string out = heading("quorumd", 1) + " \\- a replicated, linearizable key\\-value store\n";
  out += ".SH SYNOPSIS\n.B quorumd\n[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n";
  out += ".SH DESCRIPTION\n";
  out += "One program: a node of the cluster (\\fBquorumd serve\\fR) and the commands that talk to it.\n";
  out += ".SH COMMANDS\n";
  for (const auto& c : commands)
    out += ".TP\n\\fB" + inline_text(c.name) + "\\fR\n\\&" + inline_text(c.summary) + "; see \\fBquorumd\\-" +
           inline_text(c.name) + "\\fR(1).\n";
  out += ".SH OPTIONS\nBefore or after a command to which they mean something.\n";
  append_options(out, global_options());
  out +=
      ".PP\nWithout \\-\\-endpoint and \\-\\-socket: QUORUMD_ENDPOINT, then the socket /run/quorumd/admin.sock if it "
      "exists, then 127.0.0.1:2379. An argument that begins with a dash comes after \\(aq\\-\\-\\(aq.\n";
  out += endings;
  out += ".SH FILES\n.TP\n/etc/quorumd/quorumd.yaml\nThe configuration of the service, see \\fBquorumd.yaml\\fR(5).\n";
  out += ".TP\n/var/lib/quorumd\nIts data.\n.TP\n/run/quorumd/admin.sock\nIts admin socket.\n";
  out += ".SH SEE ALSO\n.BR quorumd.yaml (5)\n";
  return out;
}

std::string command_manual(const command_spec& c) {
  std::string out = heading("quorumd-" + std::string(c.name), 1) + " \\- " + inline_text(c.summary) + "\n";
  out += ".SH SYNOPSIS\n\\fB" + inline_text(usage_line(c)) + "\\fR\n.SH DESCRIPTION\n";
  append_text(out, c.details.empty() ? c.summary : c.details);
  out += ".SH OPTIONS\n";
  append_options(out, c.options);
  append_options(out, global_options(c));
  out += ".SH EXAMPLES\n.nf\n";
  for (const auto e : c.examples) out += "\\&" + inline_text(e) + "\n";
  out += ".fi\n.SH SEE ALSO\n.BR quorumd (1),\n.BR quorumd.yaml (5)\n";
  return out;
}

std::string configuration_manual() {
  std::string out = heading("quorumd.yaml", 5) + " \\- the configuration of quorumd\n";
  out += ".SH DESCRIPTION\nA YAML file for \\fBquorumd serve \\-\\-config\\fR. \\fBquorumd check\\-config\\fR reports "
         "every mistake at once. A key is written with a dot below and nested in the file. The environment's "
         "QUORUMD_SECTION_KEY (QUORUMD_LISTEN_CLIENT for listen.client) comes before the file, and \\-\\-set KEY=VALUE "
         "before both.\n.SH KEYS\n";
  for (const auto& k : config::describe_keys()) {
    out += ".TP\n\\fB" + inline_text(k.path) + "\\fR (" + inline_text(k.type);
    if (!k.range.empty()) out += ": " + inline_text(k.range);
    out += k.required ? "; required" : "; default " + inline_text(k.default_text);
    out += ")\n\\&" + inline_text(k.meaning) + ".\n";
  }
  out += ".SH SEE ALSO\n.BR quorumd (1),\n.BR quorumd\\-serve (1),\n.BR quorumd\\-check\\-config (1)\n";
  return out;
}

} // namespace quorumd::cli
