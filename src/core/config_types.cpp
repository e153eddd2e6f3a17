// Instance types and quotas: what a machine gets when only a name is said, and what a cloud may
// have in all. The built-in types are those that Eucalyptus 3.3 had, so that a lab of its names has
// its sizes.
#include "core/config_types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace nutshell {
namespace {

struct BuiltIn {
  std::string_view name;
  unsigned cpus;
  unsigned memory;  ///< M
  unsigned disk;    ///< G
};
constexpr std::array built_in{
    BuiltIn{"m1.small", 1, 256, 5},         BuiltIn{"t1.micro", 1, 256, 5},
    BuiltIn{"m1.medium", 1, 512, 10},       BuiltIn{"c1.medium", 2, 512, 10},
    BuiltIn{"m1.large", 2, 512, 10},        BuiltIn{"m1.xlarge", 2, 1024, 10},
    BuiltIn{"c1.xlarge", 2, 2048, 10},      BuiltIn{"m2.xlarge", 2, 2048, 10},
    BuiltIn{"m3.xlarge", 4, 2048, 15},      BuiltIn{"m2.2xlarge", 2, 4096, 30},
    BuiltIn{"m3.2xlarge", 4, 4096, 30},     BuiltIn{"cc1.4xlarge", 8, 3072, 60},
    BuiltIn{"m2.4xlarge", 8, 4096, 60},     BuiltIn{"hi1.4xlarge", 8, 6144, 120},
    BuiltIn{"cc2.8xlarge", 16, 6144, 120},  BuiltIn{"cg1.4xlarge", 16, 12288, 200},
    BuiltIn{"cr1.8xlarge", 16, 16384, 240}, BuiltIn{"hs1.8xlarge", 48, 119808, 24000},
};

constexpr std::size_t longest_type = 32;
constexpr std::int64_t most = 1000000;  // of anything that a quota counts

/// As a name, but with dots and underscores, as the usual ones have.
std::string type_fault(std::string_view name) {
  const auto usual = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  if (name.size() > longest_type)
    return fmt::format("it has more than {} characters", longest_type);
  if (!std::all_of(name.begin(), name.end(), usual))
    return "only letters, digits, '.', '-' and '_' are possible";
  return "";
}

}  // namespace

std::optional<InstanceType> read_type(const ConfigNode& table, const std::string& file,
                                      Problems& problems) {
  const std::size_t before = problems.size();
  TableReader reader(table, file, problems);
  InstanceType type;
  type.origin = reader.place(table);
  const ConfigNode* name = reader.take_text("name");
  if (name) type.name = name->text;
  if (!name && problems.size() == before)
    reader.complain("a type needs a name: name = \"m1.tiny\"");
  else if (const std::string fault = type_fault(type.name); name && !fault.empty())
    reader.complain(*name, "type name " + quoted(type.name) + " is wrong: " + fault);
  const auto missing = [&](const char* key, const char* example) {
    if (std::none_of(table.members.begin(), table.members.end(),
                     [&](const auto& member) { return member.first == key; }))
      reader.complain(
          fmt::format("type {} needs {}: {} = {}", quoted(type.name), key, key, example));
  };
  if (const ConfigNode* cpus = reader.take_integer("cpus", 1, 255))
    type.cpus = static_cast<unsigned>(cpus->integer);
  missing("cpus", "1");
  if (const auto memory = reader.take_size("memory")) {
    type.memory = memory->first;
    if (type.memory < mebi || type.memory % mebi != 0)
      reader.complain(*memory->second, "memory = " + quoted(memory->second->text) +
                                           " is not a whole number of M; use one such as 512M");
  }
  missing("memory", "\"512M\"");
  if (const auto disk = reader.take_size("disk")) type.disk = disk->first;
  missing("disk", "\"10G\"");
  reader.refuse_the_rest();
  return problems.size() == before ? std::optional(type) : std::nullopt;
}

Quota read_quota(const ConfigNode& table, const std::string& file, Problems& problems) {
  TableReader reader(table, file, problems);
  Quota quota;
  const auto number = [&](const char* key, std::optional<unsigned>& field) {
    const ConfigNode* node = reader.take_integer(key, 0, most);
    if (!node) return;
    field = static_cast<unsigned>(node->integer);
    quota.origins[key] = reader.place(*node);
  };
  const auto size = [&](const char* key, std::optional<Bytes>& field) {
    const auto given = reader.take_size(key);
    if (!given) return;
    field = given->first;
    quota.origins[key] = reader.place(*given->second);
  };
  number("machines", quota.machines);
  number("cpus", quota.cpus);
  size("memory", quota.memory);
  size("disk", quota.disk);
  number("addresses", quota.addresses);
  reader.refuse_the_rest();
  return quota;
}

std::vector<InstanceType> effective_types(const Config& config) {
  std::vector<InstanceType> types;
  for (const BuiltIn& type : built_in)
    types.push_back({std::string(type.name), type.cpus, type.memory * mebi, type.disk * gibi});
  for (const InstanceType& type : config.types) {
    const auto same = std::find_if(types.begin(), types.end(), [&](const InstanceType& other) {
      return other.name == type.name;
    });
    if (same == types.end())
      types.push_back(type);
    else
      *same = type;
  }
  return types;
}

}  // namespace nutshell
