// nutshell.toml: defaults and pools of one host. Without a file everything works from the built-in
// pools; a pool of the same name in the file replaces the built-in one whole.
#include <fmt/format.h>

#include <algorithm>

#include "core/config_pool.hpp"
#include "core/config_tree.hpp"
#include "core/config_types.hpp"
#include "nutshell/config.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {
namespace {

void read_defaults(TableReader& reader, Config& config) {
  const auto keep = [&](const std::string& key, std::string& field) {
    const ConfigNode* node = reader.take_text(key);
    if (!node) return node;
    field = node->text;
    config.origins[key] = reader.place(*node);
    return node;
  };
  keep("qemu", config.qemu);
  keep("cpu", config.cpu);
  const auto keep_name = [&](const std::string& key, std::string& field, VolumeName name) {
    const ConfigNode* node = keep(key, field);
    if (!node) return node;
    (name.lv.empty() ? name.lv : name.vg) = field;
    if (name.lv.empty()) name.lv = "x";
    const std::string fault = volume_name_fault(name);
    if (!fault.empty()) reader.complain(*node, key + " = " + quoted(field) + ": " + fault);
    return node;
  };
  keep_name("vg", config.vg, {"", "x"});
  const ConfigNode* thin = keep_name("thin", config.thin, {"x", ""});
  if (thin && config.vg.empty())
    reader.complain(*thin, "thin names a pool of the volume group vg, which is not given; give it");
  if (const ConfigNode* limit = reader.take_integer("thin_limit", 1, 100)) {
    config.thin_limit = static_cast<unsigned>(limit->integer);
    config.origins["thin_limit"] = reader.place(*limit);
  }
  if (const auto memory = reader.take_size("memory")) {
    config.memory = memory->first;
    config.origins["memory"] = reader.place(*memory->second);
  }
}

void read_isolation(TableReader& reader, Config& config) {
  const ConfigNode* node = reader.take_flag("isolate_clouds");
  if (!node) return;
  config.isolate_clouds = node->flag;
  config.origins["isolate_clouds"] = reader.place(*node);
}

/// The subnet of nutshell0: one that a bridge can have, with room for the host and a machine.
void read_network(TableReader& reader, Config& config) {
  const ConfigNode* node = reader.take_text("network");
  if (!node) return;
  const auto net = parse_ipv4_net(node->text);
  const unsigned first = net ? net->address.value >> 24 : 0;
  if (!net) {
    reader.complain(*node, "network = " + quoted(node->text) +
                               " is no network; write it like \"10.75.0.0/24\"");
  } else if (net->prefix < 8 || net->prefix > 30) {
    reader.complain(*node, fmt::format("network = {} has the prefix {}; use 8 to 30",
                                       quoted(node->text), net->prefix));
  } else if (first == 0 || first == 127 || first >= 224) {
    reader.complain(*node, "network = " + quoted(node->text) +
                               " can be no network of machines; use one such as 10.75.0.0/24");
  } else {
    config.network = net;
    config.origins["network"] = reader.place(*node);
  }
}

void read_pools(TableReader& reader, const std::string& file, Config& config, Problems& problems) {
  for (const ConfigNode* table : reader.take_tables("pool")) {
    auto pool = read_pool(*table, file, problems);
    if (!pool) continue;
    for (const PoolRange& other : config.pools) {
      if (other.name == pool->name)
        reader.complain(*table,
                        fmt::format("pool {} was declared already ({})", pool->name, other.origin));
      else if (pool->kind == "ipv4" && other.kind == "ipv4" && pool->low <= other.high &&
               other.low <= pool->high)
        reader.complain(*table,
                        fmt::format("pool {} overlaps pool {} ({}); an address is in one pool",
                                    pool->name, other.name, other.origin));
    }
    config.origins["pool." + pool->name] = pool->origin;
    config.pools.push_back(*std::move(pool));
  }
}

void read_types(TableReader& reader, const std::string& file, Config& config, Problems& problems) {
  for (const ConfigNode* table : reader.take_tables("type")) {
    auto type = read_type(*table, file, problems);
    if (!type) continue;
    for (const InstanceType& other : config.types)
      if (other.name == type->name)
        reader.complain(*table,
                        fmt::format("type {} was declared already ({})", type->name, other.origin));
    config.origins["type." + type->name] = type->origin;
    config.types.push_back(*std::move(type));
  }
  const ConfigNode* quota = reader.take_table("quota");
  if (quota) config.quota = read_quota(*quota, file, problems);
}

PoolRange built_in(const std::string& kind, std::uint64_t low, std::uint64_t high) {
  PoolRange pool;
  pool.name = pool.kind = kind;
  pool.low = low;
  pool.high = high;
  return pool;
}

std::vector<PoolRange> built_in_pools() {
  return {built_in("mac", 0x525400000000, 0x525400ffffff), built_in("vnc", 0, 99),
          built_in("cid", 1000, 65535999),
          // In a range that systemd's UIDS-GIDS.md calls unused: no distribution hands it out.
          built_in("uid", 1900000000, 1900065535),
          // 10.75.0.0/16
          built_in("subnet", 0x0a4b0000, 0x0a4bffff)};
}

}  // namespace

Config parse_config(std::string_view text, const std::string& file) {
  const ConfigNode root = parse_toml(text, file);
  Problems problems;
  TableReader reader(root, file, problems);
  Config config;
  config.file = file;
  read_defaults(reader, config);
  read_network(reader, config);
  read_isolation(reader, config);
  read_pools(reader, file, config, problems);
  read_types(reader, file, config, problems);
  reader.refuse_the_rest();
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return config;
}

std::vector<PoolRange> effective_pools(const Config& config) {
  std::vector<PoolRange> pools = built_in_pools();
  for (const PoolRange& pool : config.pools) {
    const auto same = std::find_if(pools.begin(), pools.end(),
                                   [&](const PoolRange& other) { return other.name == pool.name; });
    if (same == pools.end())
      pools.push_back(pool);
    else
      *same = pool;
  }
  return pools;
}

}  // namespace nutshell
