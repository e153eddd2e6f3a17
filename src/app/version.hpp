// The version, from the build.
#pragma once

namespace nutshell {
/// "0.1.0"
const char* version();
}  // namespace nutshell
