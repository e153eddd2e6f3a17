// What `plan` shows, and what `up` says that it has done: a cloud's work in words, and every QEMU
// line.
#pragma once
#include <string>
#include <vector>

#include "app/cloud_work.hpp"

namespace nutshell {

/// One change, for people and for programs.
struct ChangeWords {
  std::string sign;    ///< "+", "~", "-" or, of what waits, "!"
  std::string what;    ///< "machine", "network", "group", "public", "private", "seed", "cloud"
  std::string name;    ///< of the machine, network or group; empty: the cloud's own
  std::string action;  ///< "create", "change", "start", "restart", "remove", "wait"
  std::string detail;  ///< in words
};
/// After reserve_cloud(), in its transaction: what is new has its values.
std::vector<ChangeWords> words_of_work(House& house, const CloudWork& work, const CloudFile& file);

}  // namespace nutshell
