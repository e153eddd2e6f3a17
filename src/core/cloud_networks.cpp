// The networks and security groups of a cloud. A network's name on the host begins with the
// cloud's, so that two clouds can both have one that they call lab.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "core/cloud_parts.hpp"
#include "core/cloud_rules.hpp"

namespace nutshell {
namespace {

using Range = CloudNetwork::Range;

/// A name that stands once in its list; nullptr (and a problem) when there is none.
template <class Item>
const ConfigNode* take_name(TableReader& reader, const char* what, std::vector<Item>& items,
                            const std::string& example) {
  const bool given = std::any_of(reader.table().members.begin(), reader.table().members.end(),
                                 [](const auto& member) { return member.first == "name"; });
  const ConfigNode* name = reader.take_text("name");
  if (!given) reader.complain(fmt::format("a {} needs a name: name = \"{}\"", what, example));
  if (!name) return nullptr;
  if (const std::string fault = name_fault(name->text); !fault.empty())
    reader.complain(*name,
                    fmt::format("{} can be no {}'s name: {}", quoted(name->text), what, fault));
  for (const Item& other : items)
    if (other.name == name->text) {
      reader.complain(*name, fmt::format("the {} {} is there already ({}); give another name", what,
                                         quoted(name->text), other.origin));
      break;
    }
  return name;
}

/// Why the public range cannot be a network's subnet; empty: it can, as far as is known here.
std::string fault_as_subnet(const PublicWish& wish) {
  if (!wish.asked()) return "asks for the cloud's public range, and the file has no [public]";
  if (wish.count)
    return std::has_single_bit(wish.count) && wish.count >= 4
               ? ""
               : fmt::format("asks for {} public addresses, which are no subnet; use {} of them",
                             wish.count, std::max(4U, std::bit_ceil(wish.count)));
  const AddressRange& range = wish.ranges.front();
  const std::uint64_t size = std::uint64_t{range.last.value} - range.first.value + 1;
  if (wish.ranges.size() > 1 || size < 4 || !std::has_single_bit(size) ||
      range.first.value % size != 0)
    return "needs a public range that is one whole subnet, such as \"203.0.113.0/28\"";
  return "";
}

class NetworkReader {
 public:
  NetworkReader(const ConfigNode& table, CloudReading& reading)
      : reader_(table, reading.file, reading.problems), reading_(reading) {}

  void read() {
    network_.origin = reader_.place(reader_.table());
    const ConfigNode* name = take_name(reader_, "network", reading_.spec.networks, "lab");
    if (name) {
      network_.name = name->text;
      const std::string full = host_network(reading_.spec.name, name->text);
      if (is_name(name->text) && is_name(reading_.spec.name) && !is_name(full))
        reader_.complain(*name, fmt::format("on the host it is called {}, which is no name: {}; "
                                            "shorten one of the two",
                                            full, name_fault(full)));
    }
    const bool moded = reader_.take_word("mode", network_.mode) != nullptr;
    range(moded);
    if (const ConfigNode* ipv6 = reader_.take_text("ipv6")) {
      const auto prefix = parse_ipv6_prefix(ipv6->text);
      if (prefix)
        network_.ipv6 = *prefix;
      else
        reader_.complain(*ipv6, "ipv6 = " + quoted(ipv6->text) +
                                    " is no prefix of 64 bits that machines can have; write it "
                                    "as \"fd00:75::/64\"");
    }
    const unsigned least = network_.ipv6.empty() ? least_mtu : least_mtu_of_ipv6;
    if (const ConfigNode* mtu = reader_.take_integer("mtu", least, largest_mtu_of_tap))
      network_.mtu = static_cast<unsigned>(mtu->integer);
    if (const ConfigNode* dns = reader_.take_flag("dns")) network_.dns = dns->flag;
    reader_.refuse_the_rest();
    reading_.spec.networks.push_back(std::move(network_));
  }

 private:
  TableReader reader_;
  CloudReading& reading_;
  CloudNetwork network_;

  void range(bool moded) {
    const ConfigNode* word = reader_.take_text("range");
    const ConfigNode* subnet = reader_.take_text("subnet");
    const ConfigNode* prefix = reader_.take_integer("prefix", 8, 30);
    if ((word != nullptr) + (subnet != nullptr) + (prefix != nullptr) > 1)
      reader_.complain(
          "range, subnet and prefix each say which addresses it has; give one of them");
    if (prefix) network_.prefix = static_cast<unsigned>(prefix->integer);
    if (subnet) {
      network_.range = Range::certain;
      network_.subnet = parse_ipv4_net(subnet->text);
      if (!network_.subnet)
        reader_.complain(*subnet, "subnet = " + quoted(subnet->text) +
                                      " is no network; write it like \"10.9.0.0/24\"");
      else if (const std::string fault = subnet_fault(*network_.subnet); !fault.empty())
        reader_.complain(*subnet,
                         "subnet = " + quoted(subnet->text) + " is not possible: " + fault);
    }
    if (!word) return;
    if (word->text == "public")
      take_public(*word, moded);
    else if (word->text == "private")
      take_private(*word);
    else
      reader_.complain(*word, "range = " + quoted(word->text) +
                                  " is not known; use public or private, or say subnet = or "
                                  "prefix =" +
                                  suggestion(word->text, {"public", "private"}));
  }

  void take_public(const ConfigNode& word, bool moded) {
    network_.range = Range::the_public;
    if (!moded || network_.mode != NetworkMode::routed)
      reader_.complain(word,
                       "range = \"public\" needs mode = \"routed\", as others reach its machines "
                       "under these addresses");
    if (const std::string fault = fault_as_subnet(reading_.spec.public_range); !fault.empty())
      reader_.complain(word, "range = \"public\" " + fault);
    refuse_second(word, Range::the_public);
  }

  void take_private(const ConfigNode& word) {
    network_.range = Range::the_private;
    if (!reading_.spec.private_subnet.asked())
      reader_.complain(word,
                       "range = \"private\" asks for the cloud's private subnet, and the file has "
                       "no [private]");
    refuse_second(word, Range::the_private);
  }

  void refuse_second(const ConfigNode& word, Range range) {
    for (const CloudNetwork& other : reading_.spec.networks) {
      if (other.range != range) continue;
      reader_.complain(word, fmt::format("range = {} is the network {}'s already ({}); one subnet "
                                         "is one network",
                                         quoted(word.text), quoted(other.name), other.origin));
      return;
    }
  }
};

}  // namespace

std::string host_network(std::string_view cloud, std::string_view network) {
  return fmt::format("{}-{}", cloud, network);
}

void read_cloud_networks(CloudReading& reading) {
  for (const ConfigNode* table : reading.top.take_tables("network"))
    NetworkReader(*table, reading).read();
}

void read_cloud_groups(CloudReading& reading) {
  for (const ConfigNode* table : reading.top.take_tables("group")) {
    TableReader reader(*table, reading.file, reading.problems);
    CloudGroup group;
    group.origin = reader.place(*table);
    if (const ConfigNode* name = take_name(reader, "group", reading.spec.groups, "web"))
      group.name = name->text;
    if (const ConfigNode* words = reader.take_text("description")) group.description = words->text;
    for (const ConfigNode* text : reader.take_texts("rules"))
      if (const auto rule = parse_rule(text->text, reader.place(*text), reading.problems))
        group.rules.push_back(*rule);
    std::sort(group.rules.begin(), group.rules.end());
    group.rules.erase(std::unique(group.rules.begin(), group.rules.end()), group.rules.end());
    reader.refuse_the_rest();
    reading.spec.groups.push_back(std::move(group));
  }
}

}  // namespace nutshell
