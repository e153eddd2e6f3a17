// Starts a program with exactly the descriptors that it is given, in a session of its own, with the
// rights that it needs and no more.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/proc.hpp"

namespace nutshell::host {

/// Whom the child becomes (root only): no capability, one group, no way back.
struct RunAs {
  unsigned uid = 0, gid = 0;
};

struct ChildStart {
  std::vector<std::string> argv;  ///< argv[0] is a path
  std::vector<std::pair<int, int>>
      handed;       ///< {our descriptor, its number in the child}; nothing else passes but 0, 1, 2
  int output = -1;  ///< becomes the child's stdout and stderr; stdin is /dev/null
  std::optional<RunAs> run_as;
};

/// Returns once exec has succeeded. The child is in a session of its own, umask 077, no_new_privs,
/// default signals; if we die before exec, it dies too. Throws SystemError naming the program and
/// what failed (execve(2), setresuid(2), ...).
Identity start_child(const ChildStart& start);

}  // namespace nutshell::host
