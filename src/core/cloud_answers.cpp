// What the answers of a cloud say that can be derived from nothing: names inside the machine, and
// choices of the installer.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/cloud_parts.hpp"

namespace nutshell {
namespace {

constexpr std::int64_t fewest_per_group = 16, most_per_group = 2048;
constexpr std::size_t longest_user = 32;

bool is_user_name(std::string_view text) {
  const auto usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return text.size() <= longest_user && std::all_of(text.begin(), text.end(), usual) &&
         text.front() != '-' && !(text.front() >= '0' && text.front() <= '9');
}

/// "ssh-ed25519 AAAA... somebody" rather than the path of a file that holds such a line.
bool is_key_line(std::string_view text) {
  return text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-");
}

/// 0: what the pool gives.
unsigned private_prefix(const CloudSpec& spec) {
  const PrivateWish& wish = spec.private_subnet;
  return wish.subnet ? wish.subnet->prefix : wish.prefix;
}

class AnswersReader {
 public:
  AnswersReader(const ConfigNode& table, CloudReading& reading)
      : reader_(table, reading.file, reading.problems),
        reading_(reading),
        wish_(reading.spec.answers) {}

  void read() {
    if (const ConfigNode* mode = keep("mode", wish_.mode);
        mode && wish_.mode != "MANAGED-NOVLAN" && wish_.mode != "MANAGED")
      reader_.complain(
          *mode, "mode = " + quoted(wish_.mode) + " is not known; use MANAGED-NOVLAN or MANAGED");
    addresses_per_group();
    for (const ConfigNode* server : reader_.take_texts("dns"))
      if (const auto address = take_address(*server, "dns")) {
        wish_.dns.push_back(*address);
        wish_.origins.emplace("dns", reader_.place(*server));
      }
    if (const ConfigNode* gateway = reader_.take_text("gateway")) {
      wish_.gateway = take_address(*gateway, "gateway");
      wish_.origins["gateway"] = reader_.place(*gateway);
    }
    interface("public_interface", wish_.public_interface);
    interface("private_interface", wish_.private_interface);
    interface("bridge", wish_.bridge);
    if (const ConfigNode* user = keep("ssh_user", wish_.ssh_user);
        user && !is_user_name(wish_.ssh_user))
      reader_.complain(*user, "ssh_user = " + quoted(wish_.ssh_user) +
                                  " can be no user's name; use small letters, digits, '_' and "
                                  "'-', at most 32");
    for (const ConfigNode* key : reader_.take_texts("ssh_keys")) {
      const bool as_is = is_key_line(key->text) || key->text.starts_with('~');
      wish_.ssh_keys.push_back(as_is ? key->text : path_from(reading_.folder, key->text));
      wish_.origins.emplace("ssh_keys", reader_.place(*key));
    }
    reader_.refuse_the_rest();
  }

 private:
  TableReader reader_;
  CloudReading& reading_;
  AnswersWish& wish_;

  const ConfigNode* keep(const char* key, std::string& field) {
    const ConfigNode* node = reader_.take_text(key);
    if (!node) return nullptr;
    field = node->text;
    wish_.origins[key] = reader_.place(*node);
    return node;
  }

  void interface(const char* key, std::string& field) {
    const ConfigNode* node = keep(key, field);
    if (node && !is_interface_name(field))
      reader_.complain(*node, fmt::format("{} = {} can be no interface's name (1 to 15 bytes "
                                          "without '/', ':', '%' and spaces)",
                                          key, quoted(field)));
  }

  std::optional<Ipv4> take_address(const ConfigNode& node, const char* key) {
    const auto address = parse_ipv4(node.text);
    if (!address)
      reader_.complain(node, fmt::format("{}: {} is no IPv4 address; write it like 192.0.2.1", key,
                                         quoted(node.text)));
    return address;
  }

  void addresses_per_group() {
    const ConfigNode* node =
        reader_.take_integer("addresses_per_group", fewest_per_group, most_per_group);
    if (!node) return;
    const unsigned prefix = private_prefix(reading_.spec);
    wish_.addresses_per_group = static_cast<unsigned>(node->integer);
    wish_.origins["addresses_per_group"] = reader_.place(*node);
    if (!std::has_single_bit(wish_.addresses_per_group)) {
      reader_.complain(*node,
                       fmt::format("addresses_per_group = {} is no power of two; use {} or {}",
                                   node->integer, std::bit_floor(wish_.addresses_per_group),
                                   std::bit_ceil(wish_.addresses_per_group)));
      return;
    }
    if (prefix != 0 && wish_.addresses_per_group > std::uint64_t{1} << (32 - prefix))
      reader_.complain(*node,
                       fmt::format("addresses_per_group = {} is more than the private subnet has, "
                                   "which is a /{} ({}); use a larger subnet",
                                   node->integer, prefix, reading_.spec.private_subnet.origin));
  }
};

}  // namespace

void read_cloud_answers(CloudReading& reading) {
  if (const unsigned prefix = private_prefix(reading.spec); prefix != 0)
    reading.spec.answers.addresses_per_group = static_cast<unsigned>(std::min<std::uint64_t>(
        reading.spec.answers.addresses_per_group, std::uint64_t{1} << (32 - prefix)));
  if (const ConfigNode* table = reading.top.take_table("answers"))
    AnswersReader(*table, reading).read();
}

}  // namespace nutshell
