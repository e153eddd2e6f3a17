// Answers for a person and as JSON. The words are those of an installer's prompts, so that one can
// go down the list with the screen beside it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "nutshell/answers.hpp"

namespace nutshell {
namespace {

constexpr const char* unknown = "not known";

class Sheet {
 public:
  void line(const std::string& prompt, const std::string& answer) {
    text_ += fmt::format("{:<22}{}\n", prompt + ":", answer.empty() ? unknown : answer);
  }
  void heading(const std::string& words) { text_ += "\n" + words + "\n"; }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

std::string words_of(const std::vector<Ipv4>& addresses) {
  std::string text;
  for (const Ipv4 address : addresses) text += (text.empty() ? "" : " ") + to_string(address);
  return text;
}

std::string words_of(const std::vector<AddressRange>& ranges) {
  std::string text;
  for (const AddressRange& range : ranges)
    text += (text.empty() ? "" : " ") +
            (range.first == range.last
                 ? to_string(range.first)
                 : fmt::format("{}-{}", to_string(range.first), to_string(range.last)));
  return text;
}

void add_nic(Sheet& sheet, const NicAnswers& nic, std::size_t index, bool several) {
  if (several) sheet.line(fmt::format("interface {}", index), nic.on);
  if (nic.mac) sheet.line("MAC", to_string(*nic.mac));
  if (!nic.address) return sheet.line("address", "by DHCP");
  sheet.line("address", to_string(*nic.address));
  sheet.line("netmask", nic.prefix ? to_string(Ipv4Net{*nic.address, *nic.prefix}.netmask()) : "");
  sheet.line("gateway", nic.gateway ? to_string(*nic.gateway) : "none");
  sheet.line("name servers", words_of(nic.name_servers));
}

template <typename T>
Json text_or_null(const std::optional<T>& value) {
  return value ? Json(to_string(*value)) : Json();
}

Json list_of(const std::vector<Ipv4>& addresses) {
  Json list = Json::array();
  for (const Ipv4 address : addresses) list.push(to_string(address));
  return list;
}

Json json_of(const NicAnswers& nic) {
  const bool whole = nic.address && nic.prefix;
  return Json::object(
      {{"on", nic.on},
       {"kind", nic.kind},
       {"mac", text_or_null(nic.mac)},
       {"dhcp", !nic.address},
       {"address", text_or_null(nic.address)},
       {"prefix", nic.prefix ? Json(*nic.prefix) : Json()},
       {"netmask", whole ? Json(to_string(Ipv4Net{*nic.address, *nic.prefix}.netmask())) : Json()},
       {"gateway", text_or_null(nic.gateway)},
       {"name_servers", list_of(nic.name_servers)},
       {"mtu", nic.mtu ? Json(nic.mtu) : Json()}});
}

}  // namespace

std::string answers_text(const Answers& answers) {
  Sheet sheet;
  sheet.line("cloud", answers.cloud);
  sheet.line("network mode", answers.mode);
  sheet.line("public IP range",
             answers.public_ranges.empty() ? "none" : words_of(answers.public_ranges));
  sheet.line("private subnet",
             answers.private_subnet ? to_string(answers.private_subnet->first()) : "none");
  sheet.line("private netmask",
             answers.private_subnet ? to_string(answers.private_subnet->netmask()) : "none");
  sheet.line("addresses per group", std::to_string(answers.addresses_per_group));
  sheet.line("name servers", words_of(answers.name_servers));
  sheet.line("public interface", answers.public_interface);
  sheet.line("private interface", answers.private_interface);
  sheet.line("bridge", answers.bridge);
  for (const MachineAnswers& machine : answers.machines) {
    sheet.heading(fmt::format("{}:", machine.name));
    sheet.line("host name", machine.name);
    sheet.line("full name", machine.fqdn);
    for (std::size_t i = 0; i < machine.nics.size(); ++i)
      add_nic(sheet, machine.nics[i], i, machine.nics.size() > 1);
  }
  return std::move(sheet).text();
}

Json answers_json(const Answers& answers) {
  Json ranges = Json::array(), keys = Json::array(), machines = Json::array();
  for (const AddressRange& range : answers.public_ranges)
    ranges.push(Json::object({{"first", to_string(range.first)}, {"last", to_string(range.last)}}));
  for (const std::string& key : answers.ssh_keys) keys.push(key);
  for (const MachineAnswers& machine : answers.machines) {
    Json nics = Json::array();
    for (const NicAnswers& nic : machine.nics) nics.push(json_of(nic));
    machines.push(Json::object({{"name", machine.name},
                                {"uuid", machine.uuid.text},
                                {"hostname", machine.name},
                                {"fqdn", machine.fqdn},
                                {"nics", nics}}));
  }
  const auto& subnet = answers.private_subnet;
  return Json::object({{"cloud", answers.cloud},
                       {"mode", answers.mode},
                       {"public_ranges", ranges},
                       {"private_subnet", subnet ? Json(to_string(subnet->first())) : Json()},
                       {"private_prefix", subnet ? Json(subnet->prefix) : Json()},
                       {"private_netmask", subnet ? Json(to_string(subnet->netmask())) : Json()},
                       {"addresses_per_group", answers.addresses_per_group},
                       {"name_servers", list_of(answers.name_servers)},
                       {"public_interface", answers.public_interface},
                       {"private_interface", answers.private_interface},
                       {"bridge", answers.bridge},
                       {"ssh_user", answers.ssh_user.empty() ? Json() : Json(answers.ssh_user)},
                       {"ssh_keys", keys},
                       {"machines", machines}});
}

}  // namespace nutshell
