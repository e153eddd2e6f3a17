// The VNC password: in a file of its own, in no argv, log or journal.
#pragma once
#include <string>

namespace nutshell {

/// VNC's own authentication looks at 8 bytes only (RFC 6143, 7.2.2), so a longer password is
/// refused.
inline constexpr std::size_t longest_vnc_password = 8;

/// Reads a password from a file: its first line. Throws ConfigError when it is empty or longer than
/// 8 bytes.
std::string read_vnc_password(const std::string& path, const std::string& where);
/// Puts the password into `path`: that of the file `from`, or a random one of 8 letters and digits
/// when `from` is empty.
void make_vnc_password(const std::string& path, const std::string& from);

}  // namespace nutshell
