// What a managed network is, as values: how it is joined to the rest of the world, and the IPv6
// prefix that it may have.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace nutshell {

/// nat: out under the host's addresses, and nobody in. routed: out and in under its own addresses.
/// isolated: neither; its machines reach one another, and the host for DHCP and DNS alone.
enum class NetworkMode { nat, routed, isolated };

std::string to_string(NetworkMode value);
/// Sets `value` from its word; false when the word is unknown.
bool from_word(std::string_view word, NetworkMode& value);
std::string words_of(NetworkMode);

/// The smallest and largest MTU of a managed network in bytes (RFC 791: 68 is legal; 576 is what
/// every host must take; 65535 is a bridge's most), and the least that IPv6 works with (RFC 8200).
inline constexpr unsigned least_mtu = 576, largest_mtu = 65535, least_mtu_of_ipv6 = 1280;
/// What a network has when nobody says otherwise.
inline constexpr unsigned usual_mtu = 1500;

/// "fd00:1:2:3::/64" in its shortest form; nullopt when it is no prefix of 64 bits that machines
/// can have (host bits set, link-local, multicast, loopback).
std::optional<std::string> parse_ipv6_prefix(std::string_view text);
/// The first address of such a prefix, which the bridge has: "fd00:1:2:3::1".
std::string first_ipv6_address(const std::string& prefix);

/// The name of a machine in DNS: "NAME.CLOUD.nutshell".
std::string dns_name(std::string_view name, std::string_view cloud);
/// The domain that machines of a cloud search: "CLOUD.nutshell".
std::string dns_domain(std::string_view cloud);

}  // namespace nutshell
