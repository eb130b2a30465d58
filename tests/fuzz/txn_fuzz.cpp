// The text form of transactions: whatever is understood can be validated, sent and read back.
#include "consensus/types/invariant.hpp"
#include "daemon/cli/txn_text.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/validate.hpp"
#include "tests/fuzz/input.hpp"

using namespace quorumd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const auto parsed = cli::parse_txn(in.text());
  if (parsed.has_error() || !kv::validate(parsed->what)) return 0;
  chunk_arena arena;
  const proposal p = kv::encode_command(arena, parsed->what);
  const auto read = kv::decode_command(std::as_const(p).payload());
  QUORUMD_INVARIANT(read && std::holds_alternative<kv::txn>(read->what), "a transaction comes back from its encoding");
  return 0;
}
