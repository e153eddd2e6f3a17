// The note is the rope by which a host is pulled back, so it is on the disk, with its folder's
// entry, before anything hangs on it; and it stays until what it describes is no longer needed.
#include "host/adoption.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/native_network.hpp"
#include "host/sysctl.hpp"
#include "nl/link.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::string_view ending = ".json";

std::string note_of(const std::string& folder, const std::string& bridge) {
  return folder + "/" + bridge + std::string(ending);
}

void sync_folder(const std::string& folder) {
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    throw SystemError(errno, fmt::format("folder {}: cannot write it to the disk", folder));
}

}  // namespace

std::string adoption_lock(const std::string& folder) { return folder + "/lock"; }
std::string dead_man_lock(const std::string& folder, const std::string& bridge) {
  return folder + "/" + bridge + ".deadman";
}

std::vector<Adoption> read_adoptions(const std::string& folder, std::vector<std::string>& trouble) {
  std::vector<Adoption> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::opendir(folder.c_str()), ::closedir);
  while (const dirent* entry = list ? ::readdir(list.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (!name.ends_with(ending) || name.size() == ending.size()) continue;
    try {
      if (auto one = read_adoption(folder, name.substr(0, name.size() - ending.size())))
        all.push_back(std::move(*one));
    } catch (const std::exception& error) {
      trouble.emplace_back(error.what());
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Adoption& a, const Adoption& b) { return a.before.bridge < b.before.bridge; });
  return all;
}

std::optional<Adoption> read_adoption(const std::string& folder, const std::string& bridge) {
  const auto text = read_file(note_of(folder, bridge), 64 * mebi);
  if (!text) return std::nullopt;
  try {
    return adoption_from_json(Json::parse(*text));
  } catch (const std::exception& error) {
    throw Failed(fmt::format(
        "the note of an adoption, {}: {}; put it right, or see with `ip addr` that this "
        "host has its addresses and move the note away",
        note_of(folder, bridge), error.what()));
  }
}

void write_adoption(const std::string& folder, const Adoption& adoption) {
  write_file(note_of(folder, adoption.before.bridge), to_json(adoption).dump(true) + "\n");
  sync_folder(folder);
}

void drop_adoption(const std::string& folder, const std::string& bridge) {
  for (int attempt = 0; is_held(dead_man_lock(folder, bridge)); ++attempt) {
    if (attempt == 100) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  drop_file(note_of(folder, bridge));
  drop_file(dead_man_lock(folder, bridge));
}

UplinkNames names_of(const Adoption& adoption) {
  return {adoption.before.uplink, adoption.before.bridge, adoption.mark, adoption.before.mac};
}

Adoption with_present_name(Adoption adoption) {
  try {
    const UplinkView& before = adoption.before;
    const std::string boot = read_file("/proc/sys/kernel/random/boot_id").value_or("");
    if (adoption.uplink_index == 0 || !boot.starts_with(adoption.boot_id) ||
        adoption.network != network_namespace())
      return adoption;
    nl::Socket socket;
    if (nl::find_link(socket, before.uplink)) return adoption;
    const auto link = nl::find_link(socket, adoption.uplink_index);
    if (link && link->mac && nl::to_text(*link->mac) == before.mac)
      adoption.before = renamed(before, link->name);
  } catch (const std::exception&) {
    // Then it is looked for under its old name, and what cannot be done is told.
  }
  return adoption;
}

std::vector<std::string> restore_adoption(const std::string& folder, Adoption adoption,
                                          const std::string& reason) {
  adoption = with_present_name(std::move(adoption));
  const std::uint64_t passed = (boot_milliseconds() - adoption.taken) / 1000;
  const UplinkView want = later(adoption.before, static_cast<std::uint32_t>(passed));
  std::vector<std::string> left = settle_network(names_of(adoption), want);
  if (adoption.persist)  // a confirm that was cut short
    for (std::string& each : put_back_native(adoption)) left.push_back(std::move(each));
  adoption.state = AdoptionState::restored;
  adoption.reason = reason;
  adoption.left = left;
  try {
    write_adoption(folder, adoption);
  } catch (const std::exception&) {
    // The network is back, which counts; the next command finds nothing to do, and tries again.
  }
  return left;
}

std::vector<std::string> put_back_native(const Adoption& adoption) {
  std::vector<std::string> left = drop_native(adoption.before.bridge);
  for (const auto& [path, text] : adoption.native) {
    try {
      write_native({{path, text}}, adoption.before.bridge);
    } catch (const std::exception& error) {
      left.emplace_back(error.what());
    }
  }
  return left;
}

bool has_dead_man(const std::string& folder, const Adoption& adoption) {
  return is_held(dead_man_lock(folder, adoption.before.bridge));
}

}  // namespace nutshell::host
