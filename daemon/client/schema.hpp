#pragma once

#include "wire/message_build.hpp"
#include "wire/message_read.hpp"

#include "daemon/client/schema/client.capnp.h"
#include "daemon/kv/codec/schema.hpp"

/// What the parts of the clients' schema share, for this folder's .cpp files.
namespace quorumd::client::detail {

using namespace wire;
using namespace wire::detail;
using kv::codec::command_nesting_max;
using kv::codec::fill;
using kv::codec::fill_item;
using kv::codec::item_words;
using kv::codec::read;
using kv::codec::read_item;
using kv::codec::words_behind;

} // namespace quorumd::client::detail
