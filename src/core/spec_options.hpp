// KEY=VALUE lists, as --disk and --nic take them: split once, each key asked for by name, and
// whatever was not asked for refused with the nearest key that was.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/error.hpp"
#include "nutshell/network.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {

/// The largest MTU of a NIC in bytes: a tap keeps 14 of what a bridge can carry for the Ethernet
/// header (Linux: tun_net_init).
inline constexpr unsigned largest_mtu_of_tap = largest_mtu - 14;

/// The text in double quotes, printable, cut after 60 bytes.
std::string quoted(std::string_view text);
/// "; did you mean X?" for the nearest of the known words, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

class OptionList {
 public:
  struct Item {
    std::string key;  ///< the whole word where there was no '='
    std::string value;
    bool has_value = false;
  };

  /// Splits at single commas; two commas are one literal comma.
  OptionList(std::string_view text, std::string where, Problems& problems);

  /// Takes the first word when it is bare and none of `known`; nullopt otherwise.
  std::optional<std::string> take_leading_word(const std::vector<std::string>& known);
  [[nodiscard]] bool has(std::string_view key) const;
  /// The value of KEY=VALUE; nullopt when it is missing. An empty value is a problem.
  std::optional<std::string> take(std::string_view key);
  /// A switch: bare or "=on" is true, "=off" false.
  std::optional<bool> take_switch(std::string_view key);
  /// A word of an enum; an unknown one is a problem that lists the allowed ones.
  template <class E>
  bool take_word(std::string_view key, E& value) {
    const auto word = take(key);
    if (!word) return false;
    if (from_word(*word, value)) return true;
    complain(std::string(key) + "=" + quoted(*word) + " is not known; use " + words_of(value));
    return false;
  }
  /// Everything not taken by now is unknown.
  void refuse_the_rest(const std::vector<std::string>& known);
  void complain(const std::string& what);

 private:
  std::optional<Item> extract(std::string_view key);

  std::string where_;
  Problems& problems_;
  std::vector<Item> items_;
};

/// antispoof=, also= and rate= of a NIC.
void take_guard(OptionList& list, NicSpec& nic);

}  // namespace nutshell
