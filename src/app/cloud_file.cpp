// The lock lies outside of the cloud's folder, so that it is there before the folder and after it.
#include "app/cloud_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "app/interrupt.hpp"
#include "app/lost.hpp"
#include "app/settle.hpp"
#include "host/files.hpp"

namespace nutshell {
namespace {

namespace fs = std::filesystem;

constexpr Bytes largest_note = 64 * mebi;
constexpr auto look_again = std::chrono::milliseconds(50);

std::string clouds_folder(const House& house) { return house.paths.state + "/clouds"; }
std::string note_of(const House& house, const std::string& cloud) {
  return cloud_folder(house, cloud) + "/cloud.json";
}

bool is_range(const Lease& lease) { return lease.lifetime == Lifetime::cloud; }

}  // namespace

CloudFile read_cloud_file(const House& house, const std::string& typed) {
  if (typed.empty()) throw UsageError("FILE is empty; name a cloud.toml");
  CloudFile file;
  file.path = canonical(typed);
  std::error_code error;
  if (fs::is_directory(file.path, error))
    throw ConfigError(printable(typed), "is a directory; name the cloud.toml in it");
  const auto text = host::read_file(file.path);
  if (!text)
    throw NotFound(fmt::format("there is no file {}; name the cloud's file", printable(typed)));
  file.text = *text;
  const std::string folder = fs::path(file.path).parent_path().string();
  const auto types = effective_types(house.config);
  static_cast<void>(parse_cloud(file.text, typed, folder, types));  // mistakes, as it was typed
  file.spec = parse_cloud(file.text, file.path, folder, types);
  return file;
}

CloudFile file_as_applied(House& house, const std::string& typed) {
  const std::string path = canonical(typed);
  std::vector<CloudRow> rows = house.registry().clouds();
  std::erase_if(rows, [&](const CloudRow& row) { return row.file != path; });
  CloudFile file;
  try {
    file = read_cloud_file(house, typed);
  } catch (const Error& error) {
    if (rows.size() != 1) throw;
    house.reporter.warn(
        fmt::format("{}; the cloud {} comes up as it was", error.what(), rows.front().name));
    return {path, host::read_file(path).value_or(""), spec_as_applied(house, rows.front())};
  }
  if (rows.empty()) return file;
  const auto named = std::find_if(
      rows.begin(), rows.end(), [&](const CloudRow& each) { return each.name == file.spec.name; });
  if (named == rows.end() && rows.size() > 1)
    throw Conflict(fmt::format(
        "{} says the name {}, and several clouds came from it; put the name of one back",
        printable(typed), file.spec.name));
  const CloudRow& row = named == rows.end() ? rows.front() : *named;
  CloudSpec applied = spec_as_applied(house, row);
  if (to_json(applied).dump() != to_json(file.spec).dump())
    house.reporter.warn(
        fmt::format("{} was changed since it was last brought up; {} comes up as it was, and "
                    "`nutshell up` does what the file says now",
                    printable(typed), row.name));
  file.spec = std::move(applied);
  return file;
}

bool has_changed(const CloudFile& file) {
  try {
    return host::read_file(file.path).value_or("") != file.text;
  } catch (const Error&) {
    return true;
  }
}

CloudSpec spec_of(const CloudRow& row) {
  try {
    return cloud_from_json(Json::parse(row.spec));
  } catch (const Failed& fault) {
    throw Failed(
        fmt::format("the cloud {} cannot be read from the registry ({}); run `nutshell "
                    "recover` to rebuild it",
                    row.name, fault.what()));
  }
}

CloudSpec spec_as_applied(House& house, const CloudRow& row) {
  CloudSpec spec = spec_of(row);
  for (CloudMachine& machine : spec.machines) {
    const auto present = house.registry().machine(machine.wish.name);
    if (present && !present->spec.applied.empty())
      machine = cloud_machine_from_json(Json::parse(present->spec.applied));
  }
  return spec;
}

namespace {

/// The cloud that a file means which this host knows. With another name in it the file is another
/// cloud's by now, and what is asked for may destroy.
CloudRow cloud_from(House& house, const std::vector<CloudRow>& rows, const std::string& typed) {
  const std::string path = canonical(typed);
  std::vector<CloudRow> found;
  for (const CloudRow& row : rows)
    if (row.file == path) found.push_back(row);
  if (found.empty())
    throw NotFound(fmt::format(
        "no cloud is up from {}; `nutshell status` lists those that there are", printable(typed)));
  std::string name;
  try {
    name = read_cloud_file(house, typed).spec.name;
  } catch (const Error&) {
    if (found.size() == 1) return found.front();  // a file that is gone, or broken, has one meaning
  }
  std::string names;
  for (const CloudRow& row : found) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + row.name;
  }
  throw Conflict(fmt::format(
      "{} says {}, and what came from it is {}; name the cloud that is meant in its place",
      printable(typed), name.empty() ? "no name that can be read" : "the name " + name, names));
}

}  // namespace

CloudRow find_cloud(House& house, const std::string& typed) {
  const std::vector<CloudRow> rows = house.registry().clouds();
  for (const CloudRow& row : rows)
    if (row.name == typed) return row;
  const bool is_path = typed.find('/') != typed.npos || typed.ends_with(".toml");
  if (is_path) return cloud_from(house, rows, typed);
  if (is_name(typed) && is_noted(house, typed))
    throw NotFound(fmt::format(
        "the registry has lost the cloud {}; run `nutshell recover` to have it again", typed));
  std::vector<std::string> names;
  for (const CloudRow& row : rows) names.push_back(row.name);
  const auto meant = nearest(typed, names);
  throw NotFound(fmt::format(
      "there is no cloud {}{}", printable(typed),
      meant ? fmt::format("; did you mean {}?", *meant) : "; `nutshell status` lists them"));
}

std::string cloud_folder(const House& house, const std::string& cloud) {
  return clouds_folder(house) + "/" + cloud;
}

host::Lock lock_cloud(House& house, const std::string& cloud) {
  host::make_directories(clouds_folder(house));
  const std::string path = clouds_folder(house) + "/" + cloud + ".lock";
  for (bool said = false;;) {
    if (auto lock = host::Lock::try_exclusive(path)) {
      lock->share_with_programs();  // the errands of a command that is killed are still at work
      return *std::move(lock);
    }
    if (!std::exchange(said, true))
      house.reporter.note(
          fmt::format("another command is at work on the cloud {}; waiting for it", cloud));
    std::this_thread::sleep_for(look_again);
    if (interrupted())
      throw Interrupted(fmt::format(
          "interrupted while another command was at work on the cloud {}; nothing was changed",
          cloud));
  }
}

void settle_cloud(House& house, const std::string& cloud) {
  // Each round that finds somebody ends with his work done, so one more than a few is nobody's.
  for (int round = 0; round < 8; ++round) {
    bool waited = false;
    for (const Uuid& uuid : settle(house).busy) {
      const auto row = house.registry().machine(uuid);
      if (!row || row->name.cloud != cloud) continue;
      wait_for_others(house, uuid, to_string(row->name));
      waited = true;
    }
    if (!waited) return;
  }
}

void note_cloud(House& house, const std::string& cloud) {
  const auto row = house.registry().cloud(cloud);
  if (!row) return;
  Json ranges = Json::array();
  for (const Lease& lease : house.registry().leases_of(cloud_holder(cloud)))
    if (is_range(lease))
      ranges.push(
          Json::object({{"pool", lease.pool}, {"value", lease.value}, {"index", lease.index}}));
  const std::string text = Json::object({{"name", row->name},
                                         {"file", row->file},
                                         {"created", row->created},
                                         {"ranges", ranges},
                                         {"spec", Json::parse(row->spec)}})
                               .dump(true) +
                           "\n";
  if (host::read_file(note_of(house, cloud), largest_note) == text) return;
  host::make_directories(cloud_folder(house, cloud));
  host::write_file(note_of(house, cloud), text);
}

void drop_cloud_note(House& house, const std::string& cloud) {
  std::error_code error;
  fs::remove_all(cloud_folder(house, cloud), error);
  if (error)
    throw SystemError(error.value(),
                      fmt::format("{}: cannot be removed", printable(cloud_folder(house, cloud))));
}

bool is_noted(const House& house, const std::string& cloud) {
  return host::file_exists(note_of(house, cloud));
}

std::vector<std::string> noted_clouds(const House& house) {
  std::vector<std::string> names = host::names_in(clouds_folder(house));
  std::erase_if(names, [](const std::string& name) { return !is_name(name); });
  return names;
}

std::optional<Json> cloud_note(const House& house, const std::string& cloud) {
  const std::string path = note_of(house, cloud);
  const auto text = host::read_file(path, largest_note);
  if (!text) return std::nullopt;
  try {
    Json note = Json::parse(*text);
    static_cast<void>(cloud_from_json(note.at("spec")));
    static_cast<void>(note.at("ranges").as_array());
    return note;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    throw Failed(fmt::format("the note {} does not say what it is ({}); mend it, or move it away",
                             printable(path), error.what()));
  }
}

}  // namespace nutshell
