// An uplink and its bridge as the kernel has them: the view, one operation, and the loop that makes
// them look as wanted.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "nutshell/adoption.hpp"

namespace nutshell::host {

struct UplinkNames {
  std::string uplink, bridge;
  std::string mark;  ///< what a bridge of ours has for its alias
  std::string mac;   ///< what ours was made with: proof while it has no alias yet; "" for none
};

/// What is there now; `like` names routes and rules that are looked at in any case (those of an
/// earlier view). Throws Failed where the kernel cannot be asked.
UplinkView observe_uplink(const UplinkNames& names, const UplinkView* like = nullptr);

/// Sends one message. What is as it should be already (there, or gone) is done. Throws Failed.
void perform(const NetworkOp& op);

/// Makes the network look like `want`: plans, performs, looks again, a few times. What one of the
/// messages could not do is left to the next look. Returns what is left undone, in sentences; never
/// throws on account of the network.
std::vector<std::string> settle_network(const UplinkNames& names, const UplinkView& want);
/// The same, but the first message that fails throws Failed, and so does an uplink that vanishes.
/// `before_each` is called before each message.
void change_network(const UplinkNames& names, const UplinkView& want,
                    const std::function<void(const NetworkOp&)>& before_each);

/// The time since the host started, its sleep included, in milliseconds (CLOCK_BOOTTIME).
std::uint64_t boot_milliseconds();

}  // namespace nutshell::host
