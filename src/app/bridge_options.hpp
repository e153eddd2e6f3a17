// The options of `bridge create` and `bridge adopt` as values, every mistake told at once.
#pragma once
#include <optional>

#include "app/command.hpp"
#include "host/bridge.hpp"

namespace nutshell {

/// The bridge that the command line asks for; its MAC and mark are left open. Throws ConfigError.
host::NewBridge parse_new_bridge(const Parsed& args);

struct AdoptOptions {
  std::string bridge, uplink;
  unsigned timeout = 60;  ///< seconds
  bool stp = false, persist = false, force = false;
};
AdoptOptions parse_adopt(const Parsed& args);

}  // namespace nutshell
