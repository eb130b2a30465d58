#include "daemon/cli/pair_lines.hpp"

#include "daemon/cli/json.hpp"
#include "daemon/cli/text.hpp"
#include "daemon/kv/command.hpp"

#include <utility>

namespace quorumd::cli {

void append_pair(std::string& out, pair_format format, std::string_view key, std::string_view value) {
  if (format == pair_format::jsonl) {
    json_writer(out).begin_object().bytes("key", key).bytes("value", value).end_object();
  } else {
    append_escaped(out, key);
    out += '\t';
    append_escaped(out, value);
  }
  out += '\n';
}

result<key_value> parse_pair(pair_format format, std::string_view line) {
  key_value out;
  if (format == pair_format::jsonl) {
    auto pair = parse_json_pair(line);
    if (pair.has_error()) return pair.error();
    out = {std::move(pair->key), std::move(pair->value)};
  } else {
    const std::size_t tab = line.find('\t');
    if (tab == std::string_view::npos) return usage("no tab between key and value in " + shown(line));
    if (auto key = append_unescaped(out.key, line.substr(0, tab)); key.has_error())
      return usage("key, " + key.error().message());
    if (auto value = append_unescaped(out.value, line.substr(tab + 1)); value.has_error())
      return usage("value, " + value.error().message());
  }
  if (out.key.empty()) return usage("the key is empty");
  if (out.key.size() + out.value.size() > kv::request_bytes_max)
    return usage("key and value have " + grouped(out.key.size() + out.value.size()) + " bytes, and the limit is " +
                 grouped(kv::request_bytes_max));
  return out;
}

void pair_lines::feed(std::string_view piece) {
  if (begin_ != 0) {
    buffer_.erase(0, begin_);
    searched_ -= begin_;
    begin_ = 0;
  }
  buffer_ += piece;
}

result<std::optional<key_value>> pair_lines::next() {
  std::size_t end = buffer_.find('\n', searched_);
  std::size_t after = end + 1;
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    if (buffer_.size() - begin_ > line_bytes_max)
      return usage("line " + std::to_string(line_number_ + 1) + ": longer than " + grouped(line_bytes_max) + " bytes");
    if (!finished_ || begin_ == buffer_.size()) return std::optional<key_value>();
    end = after = buffer_.size();
  }
  const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
  ++line_number_;
  taken_bytes_ += after - begin_;
  begin_ = searched_ = after;
  auto pair = parse_pair(format_, line);
  if (pair.has_error()) return usage("line " + std::to_string(line_number_) + ": " + pair.error().message());
  return std::optional<key_value>(std::move(*pair));
}

} // namespace quorumd::cli
