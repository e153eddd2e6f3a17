// The one place that starts `lvm`.
#pragma once
#include <string>
#include <vector>

namespace nutshell::host {

/// One lvm command. Exactly one of `devices` and `config` says what it may look at.
struct LvmCall {
  std::vector<std::string> command;  ///< {"lvcreate", "-n", "ciab", ...}
  std::vector<std::string> devices;  ///< the only ones that it may read
  std::string config{};  ///< where the devices are not known yet: settings of lvm.conf(5)
  bool report = false;   ///< its stdout is a JSON report: sizes in bytes, the same everywhere
};

struct LvmAnswer {
  int status = 0;      ///< lvm's exit status: 0, 5 failed, 3 called wrongly
  std::string output;  ///< stdout
  std::string errors;  ///< the tail of stderr; lvm warns there when it succeeds, too
};

/// Runs it to its end, whatever its exit status. Throws Failed when lvm is absent, does not end in
/// time (60 s, then it may finish its critical section), or floods.
LvmAnswer call_lvm(const LvmCall& call);

/// What lvm said that is no warning, in one line; "lvm said nothing" when there is none. Pure.
std::string words_of_lvm(const std::string& errors);

}  // namespace nutshell::host
