// Policy rules: which routing table is asked for which packets.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nl/ip.hpp"
#include "nl/socket.hpp"

namespace nl {

/// FR_ACT_*.
enum class RuleAction : std::uint8_t {
  none,
  to_table,
  go_to,
  nop,
  blackhole = 6,
  unreachable = 7,
  prohibit = 8
};

/// A rule matches packets that meet everything that is set in it.
struct Rule {
  Family family = Family::v4;
  /// The lowest is asked first. When adding without one the kernel takes one less than its first
  /// after 0.
  std::optional<std::uint32_t> priority{};
  Prefix source{};            ///< length 0: from anywhere
  Prefix destination{};       ///< length 0: to anywhere
  std::string input_link{};   ///< "" any
  std::string output_link{};  ///< "" any
  std::uint32_t mark = 0;     ///< firewall mark, compared under `mark_mask`
  std::uint32_t mark_mask = 0;
  std::uint32_t table = 0;
  RuleAction action = RuleAction::to_table;
  std::uint32_t go_to = 0;  ///< priority to go on at, for RuleAction::go_to
  bool invert = false;      ///< matches what does not match
  bool l3mdev = false;      ///< table of the VRF
  std::uint8_t tos = 0;
  std::uint8_t ip_protocol = 0;  ///< 6 TCP, 17 UDP, 0 any
  std::optional<std::pair<std::uint16_t, std::uint16_t>> source_ports{};
  std::optional<std::pair<std::uint16_t, std::uint16_t>> destination_ports{};
  std::optional<std::pair<std::uint32_t, std::uint32_t>> uids{};
  /// Routes of this prefix length or shorter do not count.
  std::optional<std::uint32_t> suppress_prefix_length{};
  std::optional<std::uint32_t> suppress_group{};  ///< routes over links of this group do not count
  std::uint8_t protocol = 4;                      ///< RTPROT_*, who made it

  /// "100 from 10.0.0.0/8 table 100".
  std::string text() const;
};

/// In the kernel's order, IPv4 first. `family` none: both.
std::vector<Rule> list_rules(Socket& socket, Family family = Family::none);
/// EEXIST where the very same is there.
void add_rule(Socket& socket, const Rule& rule);
/// Removes the first that matches all that is set. ENOENT where there is none.
void remove_rule(Socket& socket, const Rule& rule);

}  // namespace nl
