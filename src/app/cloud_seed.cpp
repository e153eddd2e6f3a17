// A seed is replaced and never changed in place: a guest that runs keeps the one that it has seen,
// and finds the new one at its next start.
#include "app/cloud_seed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/cloud_answers.hpp"
#include "app/cloud_file.hpp"
#include "host/files.hpp"

namespace nutshell {
namespace {

constexpr Bytes largest_seed = 4 * mebi;

}  // namespace

std::string seed_path(const House& house, const MachineName& name) {
  return fmt::format("{}/{}.seed.iso", cloud_folder(house, name.cloud), name.name);
}

bool is_unmade_seed(const House& house, const MachineName& name, const DiskSpec& disk) {
  return !disk.ours() && disk.path == seed_path(house, name) && !host::file_exists(disk.path);
}

bool lacks_seed(const House& house, const MachineSpec& spec) {
  return std::any_of(spec.disks.begin(), spec.disks.end(),
                     [&](const DiskSpec& disk) { return is_unmade_seed(house, spec.name, disk); });
}

bool write_seed(House& house, const CloudSpec& spec, const MachineRow& row) {
  std::vector<std::string> warnings;
  Answers answers;
  answers.cloud = row.name.cloud;
  answers.ssh_user = spec.answers.ssh_user;
  answers.ssh_keys = read_ssh_keys(spec.answers);
  const MachineAnswers machine =
      answers_of(row.name, row.spec, spec.answers, observe_answers_host(house), warnings);
  const Seed seed = seed_of(answers, machine);
  const std::string path = seed_path(house, row.name), image = seed_image(seed);
  const auto there = host::read_file(path, largest_seed);
  if (there == image) return false;
  const auto present = there ? seed_in_image(*there) : std::nullopt;
  if (present && says_less(seed, *present)) return false;
  for (const std::string& warning : warnings) house.reporter.warn(warning);
  if (house.dry()) return true;
  host::make_directories(cloud_folder(house, row.name.cloud));
  host::write_file(path, image);
  return true;
}

void drop_seed(House& house, const MachineName& name) { host::drop_file(seed_path(house, name)); }

void write_seed_to(const std::string& given, const std::string& image, bool force) {
  // Through a link, as any program writes.
  std::error_code none;
  const std::filesystem::path real = std::filesystem::canonical(given, none);
  const std::string path = none ? given : real.string();
  if (!none && !std::filesystem::is_regular_file(real, none))
    throw ConfigError("--seed", fmt::format("{} is no file; name one, and copy it from there to "
                                            "where it is to be",
                                            printable(given)));
  if (!force && host::file_exists(path)) {
    std::optional<std::string> there;
    try {
      there = host::read_file(path, largest_seed);
    } catch (const Error&) {
      // Too large for a seed, or no file that can be read.
    }
    if (!there || !seed_in_image(*there))
      throw Conflict(
          fmt::format("{} is there, and is no seed of ours; name another file, or overwrite it "
                      "with --force",
                      printable(path)));
  }
  host::write_file(path, image);
}

}  // namespace nutshell
