#pragma once

namespace quorumd::config {

/// How the process ends. Scripts and the systemd unit rely on the numbers, which are the ones of sysexits.h where
/// there is a fitting one. The unit does not restart after a code from 64 to 78 that a restart cannot mend.
namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int absent = 1;         ///< `get` or `del` of a key that is not there
inline constexpr int unavailable = 2;    ///< no connection, or the server refused: the message names the endpoint
inline constexpr int usage = 64;         ///< a command line that cannot be understood
inline constexpr int identity = 70;      ///< the data directory is another node's or cluster's, or is in use
inline constexpr int corruption = 71;    ///< a log or snapshot that was whole is damaged, or a member's state differs
inline constexpr int disk = 74;          ///< a write or a sync failed: what is on the disk is unknown until a restart
inline constexpr int not_yet = 75;       ///< a name or an address to listen on did not appear in time: try again
inline constexpr int version = 76;       ///< a log or snapshot holds what only another version of quorumd knows
inline constexpr int configuration = 78; ///< the configuration, or something that it names (a port in use) is unusable
} // namespace exit_code

} // namespace quorumd::config
