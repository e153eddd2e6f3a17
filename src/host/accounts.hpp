// Users and groups of the host.
#pragma once
#include <optional>
#include <string>
#include <utility>

namespace nutshell::host {

/// User and group number of an account; nullopt when there is none of that name.
std::optional<std::pair<unsigned, unsigned>> user_named(const std::string& name);
/// A group's number; nullopt when there is none of that name.
std::optional<unsigned> group_named(const std::string& name);

}  // namespace nutshell::host
