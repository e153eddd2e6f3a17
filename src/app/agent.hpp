// The guest agent (qemu-guest-agent) over the agent channel.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "nutshell/json.hpp"

namespace nutshell {

/// True when the agent behind the socket answers `guest-sync` within a second. False when it does
/// not, or nobody listens.
bool agent_answers(const std::string& socket_path);
/// What the agent returns to a command without arguments; nullopt when it refuses, does not answer
/// in time, or nobody listens.
std::optional<Json> ask_agent(const std::string& socket_path, const std::string& command,
                              std::chrono::milliseconds patience);

}  // namespace nutshell
