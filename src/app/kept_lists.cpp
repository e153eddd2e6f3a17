// The file says which registry wrote it, and after which of its changes. One that was made anew
// since does not know all that was before, and its first change must not wipe that out: it is
// carried along under "lost". An older copy of it would not even know that what it has is another
// thing by now, so it changes nothing until `recover`.
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
constexpr const char* change_name = "change";

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

bool is_later(House& house, const Json& file) {
  return file.text("registry") == house.registry().born() &&
         file.integer(change_name) > house.registry().kept() &&
         file.integer(change_name) > house.kept_now();
}

/// True when that file is of another registry than ours, or of a later day of ours.
bool knows_more(House& house, const Json& file) {
  const std::string writer = file.text("registry");
  return !writer.empty() && (writer != house.registry().born() || is_later(house, file));
}

void refuse(const std::string& path) {
  throw Conflict(
      fmt::format("{} is of a later day than the registry, an older copy of which was put in its "
                  "place; run `nutshell recover` first",
                  printable(path)));
}

struct File {
  std::optional<std::string> old;  ///< its text, where it is there
  bool readable = true;
  std::optional<Json> now;  ///< what it has to say but for its number; nullopt: no file
  bool same = false;        ///< it says that already
  bool later = false;       ///< it is of a later day than the registry
};

std::string text_of(Json file, std::int64_t change) {
  file.append(change_name, change);
  return file.dump(true) + "\n";
}

File look_at_file(House& house, const std::string& path, const std::vector<KeptList>& lists) {
  File file;
  file.old = host::read_file(path, largest_file);
  const auto was = file.old ? Json::try_parse(*file.old) : std::nullopt;
  file.readable = !file.old || (was && was->is_object());
  const bool carries = was && was->is_object() && knows_more(house, *was);
  file.later = carries && is_later(house, *was);
  Json all = Json::object({{"registry", house.registry().born()}}), lost = Json::object();
  bool any = false;
  for (const KeptList& list : lists) {
    std::set<std::string> known;
    for (const Json& entry : list.entries) known.insert(key_of(entry, list));
    Json missing = Json::array();
    if (carries) carry(&*was, list, known, missing);
    if (was) carry(was->find(lost_name), list, known, missing);
    any = any || !known.empty();
    all.append(list.name, Json(list.entries));
    if (!missing.as_array().empty()) lost.append(list.name, missing);
  }
  if (!lost.as_object().empty()) all.append(lost_name, lost);
  if (any) file.now = all;
  file.same = any ? was && !carries && file.old == text_of(all, was->integer(change_name))
                  : !file.old.has_value();
  return file;
}

void write(House& house, const std::string& path, const File& file) {
  if (!file.readable) put_aside(house, path);
  if (file.now)
    host::write_file(path, text_of(*file.now, house.registry().kept()));
  else
    host::drop_file(path);
}

}  // namespace

// Until the registry has committed, the file has the number of before: of whoever is killed in
// between, or finds the disk full, the registry's word stands.
void keep_lists(House& house, Transaction& transaction, const std::string& path, MakeLists made) {
  const File file = look_at_file(house, path, made(house));
  if (file.later) refuse(path);
  if (file.same) return;
  write(house, path, file);
  transaction.count_kept();
}

void number_lists(House& house, const std::string& path, MakeLists made) {
  const auto text = host::read_file(path, largest_file);
  const auto json = text ? Json::try_parse(*text) : std::nullopt;
  if (!json || !json->is_object() || json->integer(change_name) >= house.registry().kept()) return;
  const Transaction alone = house.registry().begin();
  const File file = look_at_file(house, path, made(house));
  if (file.now) host::write_file(path, text_of(*file.now, house.registry().kept()));
}

void follow_lists(House& house, const std::string& path, MakeLists made) {
  const auto has_work = [](const File& file) { return !file.same && !file.later; };
  if (!has_work(look_at_file(house, path, made(house)))) return;
  const Transaction alone = house.registry().begin();
  const File file = look_at_file(house, path, made(house));
  if (has_work(file)) write(house, path, file);
}

void replace_lists(House& house, const std::string& path, MakeLists made) {
  const Transaction alone = house.registry().begin();
  const File file = look_at_file(house, path, made(house));
  if (!file.same) write(house, path, file);
}

void refuse_later_day(House& house, const std::string& path) {
  if (is_of_later_day(house, path)) refuse(path);
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
  std::vector<Json> all;
  if (knows_more(house, *json)) add_entries(&*json, name, all);
  add_entries(json->find(lost_name), name, all);
  return all;
}

bool is_of_later_day(House& house, const std::string& path) {
  const auto text = host::read_file(path, largest_file);
  const auto json = text ? Json::try_parse(*text) : std::nullopt;
  return json && json->is_object() && is_later(house, *json);
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
