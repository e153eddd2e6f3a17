// A change as the record of `setup` keeps it until it is undone.
#include <array>

#include "nutshell/error.hpp"
#include "nutshell/setup.hpp"

namespace nutshell {
namespace {

constexpr std::array kinds{"file", "rights", "group", "user", "module"};

Json rights_json(const std::optional<FileRights>& rights) {
  if (!rights) return {};
  return Json::object({{"uid", rights->uid}, {"gid", rights->gid}, {"mode", rights->mode}});
}

std::optional<FileRights> rights_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return FileRights{static_cast<unsigned>(json.at("uid").as_integer()),
                    static_cast<unsigned>(json.at("gid").as_integer()),
                    static_cast<unsigned>(json.at("mode").as_integer())};
}

}  // namespace

Json to_json(const SetupChange& change) {
  Json directories = Json::array();
  for (const std::string& each : change.directories) directories.push(each);
  return Json::object({{"kind", kinds.at(static_cast<std::size_t>(change.kind))},
                       {"words", change.words},
                       {"path", change.path},
                       {"before", change.before ? Json(*change.before) : Json()},
                       {"after", change.after},
                       {"old_rights", rights_json(change.old_rights)},
                       {"new_rights", rights_json(change.new_rights)},
                       {"group", change.group},
                       {"name", change.name},
                       {"directories", directories}});
}

SetupChange setup_change_from_json(const Json& json) {
  SetupChange change;
  const std::string kind = json.text("kind");
  std::size_t at = 0;
  while (at < kinds.size() && kind != kinds[at]) ++at;
  if (at == kinds.size()) throw Failed("the record of setup has a change of an unknown kind");
  change.kind = static_cast<SetupChange::Kind>(at);
  change.words = json.text("words");
  change.path = json.text("path");
  if (!json.at("before").is_null()) change.before = json.text("before");
  change.after = json.text("after");
  change.old_rights = rights_of(json.at("old_rights"));
  change.new_rights = rights_of(json.at("new_rights")).value_or(FileRights{});
  change.group = json.text("group");
  change.name = json.text("name");
  for (const Json& each : json.at("directories").as_array())
    change.directories.push_back(each.as_string());
  return change;
}

}  // namespace nutshell
