// nft's JSON is a tree of statements; of each rule only what can be asked of a packet on paper is
// kept: where it comes in and goes out, from whom to whom, whether its connection is new. The rest
// makes a condition that some packets fulfil, or that cannot be told.
#include <map>

#include "nutshell/error.hpp"
#include "nutshell/json.hpp"
#include "nutshell/ruleset.hpp"

namespace nutshell {
namespace {

/// Named sets and maps, by "FAMILY TABLE NAME": their elements.
using Named = std::map<std::string, const Json*>;

struct Scope {
  const Named& named;
  std::string family, table;
  [[nodiscard]] const Json* elements(const std::string& name) const {
    const auto found = named.find(family + " " + table + " " + name.substr(1));
    return found == named.end() ? nullptr : found->second;
  }
};

RuleCondition opaque() { return {About::opaque, false, {}}; }

const Json* inside(const Json& json, const char* name) {
  return json.is_object() ? json.find(name) : nullptr;
}

/// What the left side of a comparison looks at.
About subject(const Json& left) {
  if (const Json* meta = inside(left, "meta")) {
    const std::string key = meta->text("key");
    if (key == "iifname" || key == "iif") return About::iif;
    if (key == "oifname" || key == "oif") return About::oif;
    if (key == "nfproto") return About::family;
    if (key == "l4proto") return About::protocol;
    if (key == "protocol") return About::family;
    return key == "mark" ? About::mark : About::opaque;
  }
  if (const Json* payload = inside(left, "payload")) {
    const std::string protocol = payload->text("protocol"), field = payload->text("field");
    if (protocol == "ip" && field == "saddr") return About::source;
    if (protocol == "ip" && field == "daddr") return About::destination;
    if (protocol == "ether" && field == "saddr") return About::source_mac;
    if (protocol == "ether" && field == "daddr") return About::destination_mac;
    if (protocol == "ip" && field == "protocol") return About::protocol;
    if (protocol == "ether" && field == "type") return About::family;
    return field == "dport" ? About::port : About::opaque;
  }
  if (const Json* fib = inside(left, "fib"); fib && fib->text("result") == "type") {
    const Json* flags = fib->find("flags");
    const Json only_destination = Json::array({"daddr"});
    return flags && flags->dump() == only_destination.dump() ? About::destination_type
                                                             : About::opaque;
  }
  if (const Json* ct = inside(left, "ct"))
    return ct->text("key") == "state"    ? About::state
           : ct->text("key") == "status" ? About::narrow
                                         : About::opaque;
  return About::opaque;
}

/// Adds the values that one JSON value stands for; false when they cannot be told.
bool add_values(const Scope& scope, const Json& right, std::vector<std::string>& values) {
  if (right.is_string()) {
    const std::string& text = right.as_string();
    if (!text.starts_with("@")) {
      values.push_back(text);
      return true;
    }
    const Json* elements = scope.elements(text);
    return elements && add_values(scope, *elements, values);
  }
  if (right.is_integer()) {
    values.push_back(std::to_string(right.as_integer()));
    return true;
  }
  if (const Json* range = inside(right, "range"); range && range->is_array()) {
    std::vector<std::string> ends;
    for (const Json& each : range->as_array())
      if (!add_values(scope, each, ends)) return false;
    if (ends.size() == 2) values.push_back(ends[0] + "-" + ends[1]);
    return ends.size() == 2;
  }
  if (right.is_array()) {
    for (const Json& each : right.as_array())
      if (!add_values(scope, each, values)) return false;
    return true;
  }
  if (const Json* set = inside(right, "set")) return add_values(scope, *set, values);
  if (const Json* elem = inside(right, "elem")) {
    const Json* value = inside(*elem, "val");
    return value && add_values(scope, *value, values);
  }
  if (const Json* prefix = inside(right, "prefix")) {
    values.push_back(prefix->text("addr") + "/" + std::to_string(prefix->integer("len")));
    return true;
  }
  return false;
}

RuleCondition condition(const Scope& scope, const Json& match) {
  RuleCondition result;
  const Json *left = match.find("left"), *right = match.find("right");
  if (!left || !right) return opaque();
  result.about = subject(*left);
  if (result.about == About::opaque || result.about == About::narrow)
    return {result.about, false, {}};
  const std::string op = match.text("op", "==");
  if (op != "==" && op != "!=" && op != "in") return opaque();
  result.negated = op == "!=";
  if (!add_values(scope, *right, result.values)) return opaque();
  if (result.about == About::family)
    for (std::string& value : result.values)
      if (value == "ip" || value == "ip6") value = value == "ip" ? "ipv4" : "ipv6";
  return result;
}

/// `tcp dport 22` says the protocol beside the port, and `ip saddr` the family beside the address,
/// though nft prints no condition for it.
void add_protocol(const Json& match, FilterRule& rule) {
  const Json* left = match.find("left");
  const Json* payload = left ? inside(*left, "payload") : nullptr;
  const std::string protocol = payload ? payload->text("protocol") : "";
  if (protocol == "tcp" || protocol == "udp" || protocol == "sctp" || protocol == "icmp")
    rule.conditions.push_back({About::protocol, false, {protocol}});
  if (protocol == "icmpv6") rule.conditions.push_back({About::protocol, false, {"ipv6-icmp"}});
  if (protocol == "ip") rule.conditions.push_back({About::family, false, {"ipv4"}});
  if (protocol == "ip6") rule.conditions.push_back({About::family, false, {"ipv6"}});
  if (protocol == "arp") rule.conditions.push_back({About::family, false, {"arp"}});
}

/// Sets the verdict that a statement is; false when it is none.
bool set_verdict(const Json& statement, FilterRule& rule) {
  const auto to = [&](RuleVerdict verdict, const Json* target = nullptr) {
    rule.verdict = verdict;
    if (target) rule.target = target->text("target");
    return true;
  };
  if (statement.find("accept")) return to(RuleVerdict::accept);
  if (statement.find("drop")) return to(RuleVerdict::drop);
  if (statement.find("reject")) return to(RuleVerdict::reject);
  if (statement.find("return")) return to(RuleVerdict::back);
  if (const Json* target = statement.find("jump")) return to(RuleVerdict::jump, target);
  if (const Json* target = statement.find("goto")) return to(RuleVerdict::go_to, target);
  if (const Json* xt = statement.find("xt"); xt && xt->text("type") == "target") {
    if (xt->text("name") == "REJECT") return to(RuleVerdict::reject);
    return true;  // marks, logs: no verdict
  }
  return false;
}

/// A verdict map is as many rules as it has elements.
void add_map(const Scope& scope, const Json& map, const FilterRule& so_far, FilterChain& chain) {
  const Json *key = map.find("key"), *data = map.find("data");
  if (!key || !data) return;
  const Json* list = data->is_string() ? scope.elements(data->as_string()) : inside(*data, "set");
  if (!list || !list->is_array()) return;
  for (const Json& each : list->as_array()) {
    if (!each.is_array() || each.as_array().size() != 2) continue;
    FilterRule rule = so_far;
    RuleCondition match{subject(*key), false, {}};
    if (!add_values(scope, each.as_array()[0], match.values)) match = opaque();
    rule.conditions.push_back(match);
    if (set_verdict(each.as_array()[1], rule)) chain.rules.push_back(rule);
  }
}

/// What a statement does that rules elsewhere look at.
void note_effect(const Json& statement, Ruleset& ruleset) {
  if (statement.find("notrack")) ruleset.notrack = true;
  if (const Json* mangle = statement.find("mangle"))
    if (const Json* key = mangle->find("key"); key && inside(*key, "meta")) ruleset.marks = true;
  if (const Json* xt = statement.find("xt"); xt && xt->text("type") == "target") {
    const std::string name = xt->text("name");
    ruleset.marks = ruleset.marks || name == "MARK" || name == "CONNMARK";
    ruleset.notrack = ruleset.notrack || name == "CT" || name == "NOTRACK";
  }
}

void add_rule(const Scope& scope, const Json& json, Ruleset& ruleset, std::size_t place) {
  FilterChain& chain = ruleset.chains[place];
  FilterRule rule;
  rule.comment = json.text("comment");
  const Json* statements = json.find("expr");
  if (!statements || !statements->is_array()) return;
  for (const Json& each : statements->as_array()) {
    if (!each.is_object()) continue;
    note_effect(each, ruleset);
    if (const Json* match = each.find("match")) {
      add_protocol(*match, rule);
      rule.conditions.push_back(condition(scope, *match));
    } else if (const Json* counter = each.find("counter")) {
      if (counter->is_object())
        rule.packets = static_cast<std::uint64_t>(counter->integer("packets"));
    } else if (const Json* map = each.find("vmap")) {
      return add_map(scope, *map, rule, chain);
    } else if (const Json* xt = each.find("xt"); xt && xt->text("type") == "match") {
      if (xt->text("name") != "comment") rule.conditions.push_back(opaque());
    } else if (each.find("limit") || each.find("quota") || each.find("ct count")) {
      rule.conditions.push_back(opaque());
    } else {
      set_verdict(each, rule);
    }
  }
  if (rule.verdict != RuleVerdict::none) chain.rules.push_back(std::move(rule));
}

FilterChain chain_of(const Json& json) {
  FilterChain chain;
  chain.family = json.text("family");
  chain.table = json.text("table");
  chain.name = json.text("name");
  chain.hook = json.text("hook");
  chain.priority = static_cast<int>(json.integer("prio"));
  chain.drops_by_policy = json.text("policy") == "drop";
  if (const Json* devices = json.find("dev")) {
    if (devices->is_string()) chain.devices.push_back(devices->as_string());
    if (devices->is_array())
      for (const Json& each : devices->as_array()) chain.devices.push_back(each.as_string());
  }
  // iptables through nft uses names that people give to no chain of their own.
  chain.iptables = (chain.family == "ip" || chain.family == "ip6") &&
                   (chain.name == "FORWARD" || chain.name == "INPUT" || chain.name == "OUTPUT" ||
                    chain.name == "PREROUTING" || chain.name == "POSTROUTING");
  return chain;
}

void add_counted(const Json& set, Ruleset& ruleset) {
  const Json* list = set.find("elem");
  if (!list || !list->is_array()) return;
  for (const Json& each : list->as_array()) {
    const Json* elem = inside(each, "elem");
    const Json* counter = elem ? inside(*elem, "counter") : nullptr;
    const Json* value = elem ? inside(*elem, "val") : nullptr;
    if (counter && value && value->is_string())
      ruleset.counted.push_back({set.text("family"), set.text("table"), set.text("name"),
                                 value->as_string(),
                                 static_cast<std::uint64_t>(counter->integer("packets"))});
  }
}

}  // namespace

Ruleset parse_nft_ruleset(std::string_view text) {
  const Json json = Json::parse(text);
  const Json* list = json.is_object() ? json.find("nftables") : nullptr;
  if (!list || !list->is_array())
    throw Failed("nft lists its rules in a form that this nutshell does not know");
  Named named;
  Ruleset ruleset;
  std::map<std::string, std::size_t> places;
  const auto key = [](const Json& each, const std::string& name) {
    return each.text("family") + " " + each.text("table") + " " + name;
  };
  for (const Json& each : list->as_array()) {
    for (const char* kind : {"set", "map"})
      if (const Json* item = each.find(kind))
        if (const Json* elements = item->find("elem"))
          named[key(*item, item->text("name"))] = elements;
    if (const Json* table = each.find("table"))
      ruleset.flagged = ruleset.flagged || table->find("flags");
    if (const Json* set = each.find("set")) add_counted(*set, ruleset);
    if (const Json* chain = each.find("chain")) {
      places[key(*chain, chain->text("name"))] = ruleset.chains.size();
      ruleset.chains.push_back(chain_of(*chain));
    }
  }
  for (const Json& each : list->as_array()) {
    const Json* rule = each.find("rule");
    if (!rule) continue;
    const auto place = places.find(key(*rule, rule->text("chain")));
    if (place == places.end()) continue;
    add_rule({named, rule->text("family"), rule->text("table")}, *rule, ruleset, place->second);
  }
  return ruleset;
}

}  // namespace nutshell
