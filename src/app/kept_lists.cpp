// The file says which registry wrote it. One that was made anew since knows nothing of what was
// before, and its first change must not wipe that out: it is carried along under "lost".
#include "app/kept_lists.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "host/files.hpp"

namespace nutshell {
namespace {

constexpr Bytes largest_file = 64 * mebi;
constexpr const char* lost_name = "lost";

std::string key_of(const Json& entry, const KeptList& list) {
  std::string key;
  for (const std::string& field : list.keys) key += entry.text(field) + "\n";
  return key;
}

/// The entries of that list which are not in `known` yet.
void carry(const Json* from, const KeptList& list, std::set<std::string>& known, Json& to) {
  const Json* entries = from ? from->find(list.name) : nullptr;
  if (!entries || !entries->is_array()) return;
  for (const Json& entry : entries->as_array())
    if (known.insert(key_of(entry, list)).second) to.push(entry);
}

void add_entries(const Json* from, const std::string& name, std::vector<Json>& to) {
  const Json* list = from ? from->find(name) : nullptr;
  if (list && list->is_array())
    to.insert(to.end(), list->as_array().begin(), list->as_array().end());
}

void put_aside(House& house, const std::string& path) {
  const std::string aside = path + ".unreadable";
  std::error_code error;
  std::filesystem::rename(path, aside, error);
  house.reporter.warn(fmt::format(
      "{} could not be read, and is {} now; `nutshell recover` needs it mended and moved back",
      printable(path), printable(aside)));
}

struct Texts {
  std::optional<std::string> old, now;  ///< of the file, which is not there without one
  bool readable = true;                 ///< the old one
};

Texts texts_of(House& house, const std::string& path, const std::vector<KeptList>& lists) {
  Texts texts{host::read_file(path, largest_file), std::nullopt};
  const auto was = texts.old ? Json::try_parse(*texts.old) : std::nullopt;
  texts.readable = !texts.old || (was && was->is_object());
  const std::string writer = house.registry().born(), before = was ? was->text("registry") : "";
  const bool is_anothers = !before.empty() && before != writer;
  Json all = Json::object({{"registry", writer}}), lost = Json::object();
  bool any = false;
  for (const KeptList& list : lists) {
    std::set<std::string> known;
    for (const Json& entry : list.entries) known.insert(key_of(entry, list));
    Json missing = Json::array();
    if (was && is_anothers) carry(&*was, list, known, missing);
    if (was) carry(was->find(lost_name), list, known, missing);
    any = any || !known.empty();
    all.append(list.name, Json(list.entries));
    if (!missing.as_array().empty()) lost.append(list.name, missing);
  }
  if (!any) return texts;
  if (!lost.as_object().empty()) all.append(lost_name, lost);
  texts.now = all.dump(true) + "\n";
  return texts;
}

}  // namespace

void keep_lists(House& house, const Transaction&, const std::string& path, MakeLists made) {
  const Texts texts = texts_of(house, path, made(house));
  if (!texts.readable) put_aside(house, path);
  if (!texts.now) return host::drop_file(path);
  if (texts.old != texts.now) host::write_file(path, *texts.now);
}

void follow_lists(House& house, const std::string& path, MakeLists made) {
  const Texts texts = texts_of(house, path, made(house));
  if (texts.readable && texts.old == texts.now) return;
  const Transaction transaction = house.registry().begin();
  keep_lists(house, transaction, path, made);
}

std::vector<Json> kept_list(const std::string& path, const std::string& name,
                            std::vector<std::string>& failed) {
  const auto text = host::read_file(path, largest_file);
  if (!text) return {};
  const auto json = Json::try_parse(*text);
  if (!json || !json->is_object()) {
    const std::string fault =
        fmt::format("{}: cannot be read; mend it, or move it away", printable(path));
    if (std::find(failed.begin(), failed.end(), fault) == failed.end()) failed.push_back(fault);
    return {};
  }
  std::vector<Json> all;
  add_entries(&*json, name, all);
  add_entries(json->find(lost_name), name, all);
  return all;
}

std::vector<Json> lost_list(House& house, const std::string& path, const std::string& name) {
  const auto text = host::read_file(path, largest_file);
  const auto json = text ? Json::try_parse(*text) : std::nullopt;
  if (!json || !json->is_object()) return {};
  const std::string writer = json->text("registry");
  std::vector<Json> all;
  if (!writer.empty() && writer != house.registry().born()) add_entries(&*json, name, all);
  add_entries(json->find(lost_name), name, all);
  return all;
}

void put_back_entry(House& house, const std::string& kind, const std::string& name,
                    std::vector<std::string>& names, std::vector<std::string>& failed,
                    const std::function<void(Transaction& transaction)>& put) {
  try {
    if (!house.dry()) {
      Transaction transaction = house.registry().begin();
      put(transaction);
      transaction.commit();
    }
    names.push_back(name);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    failed.push_back(fmt::format("the {} {}: {}", kind, name, error.what()));
  }
}

}  // namespace nutshell
