// Machines of a cloud brought up and down at once, each by a command of this program, in the order
// that `after` asks for.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/cloud.hpp"

namespace nutshell {

/// How it went for one machine.
struct ErrandResult {
  std::string name;   ///< bare
  std::string error;  ///< empty: done
  int exit = 0;
};

/// Starts `names`; what they wait for is waited for, also of machines that run already. Notes and
/// warnings of the commands are passed on. Throws Interrupted.
std::vector<ErrandResult> start_machines(House& house, const CloudSpec& cloud,
                                         const std::vector<std::string>& names);

enum class Stopping { orderly, insist };
/// Presses their power buttons, those first that come last when the cloud is started. A machine
/// that another one comes after is stopped when that one is. With `insist` what does not power off
/// within `patience` seconds is killed.
std::vector<ErrandResult> stop_machines(House& house, const CloudSpec& cloud,
                                        const std::vector<std::string>& names, Stopping stopping,
                                        unsigned patience);
/// Removes them, with their volumes.
std::vector<ErrandResult> remove_machines(House& house, const std::string& cloud,
                                          const std::vector<std::string>& names);

/// Puts what was taken off these bridges back, the bridges included.
std::vector<ErrandResult> repair_bridges(House& house, const std::string& cloud,
                                         const std::set<std::string>& bridges);

/// Throws with the first exit code that is not 0, naming each that failed. `what` is what was to
/// be: "did not come up".
void throw_failures(const std::string& cloud, const std::vector<ErrandResult>& results,
                    const std::string& what);

}  // namespace nutshell
