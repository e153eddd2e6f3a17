// The guest agent (qemu-guest-agent) over the agent channel.
#pragma once
#include <string>

namespace nutshell {

/// True when the agent behind the socket answers `guest-sync` within a second. False when it does
/// not, or nobody listens.
bool agent_answers(const std::string& socket_path);

}  // namespace nutshell
