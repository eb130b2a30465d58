#pragma once

namespace quorumd::version {

/// `0.1.0`
[[nodiscard]] const char* number();
/// The commit that it was built from, with `-modified` behind it if the sources were not as committed; `unknown` if
/// they were built without git.
[[nodiscard]] const char* commit();

} // namespace quorumd::version
