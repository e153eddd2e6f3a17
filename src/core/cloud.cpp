// cloud.toml: one file is one cloud. Its parts are read one after the other into one spec, and all
// that is wrong is told at once, in the order of the file.
#include "nutshell/cloud.hpp"

#include <algorithm>
#include <charconv>

#include "core/cloud_parts.hpp"
#include "core/config_types.hpp"

namespace nutshell {
namespace {

void read_name(CloudReading& reading) {
  const bool given =
      std::any_of(reading.top.table().members.begin(), reading.top.table().members.end(),
                  [](const auto& member) { return member.first == "name"; });
  const ConfigNode* name = reading.top.take_text("name");
  if (!given)
    reading.problems.push_back(
        {reading.file + ":1", "the cloud has no name; give it one at the top: name = \"lab\""});
  if (!name) return;
  if (const std::string fault = name_fault(name->text); !fault.empty())
    reading.top.complain(*name,
                         "name = " + quoted(name->text) + " can be no cloud's name: " + fault);
  else if (name->text == "default")
    reading.top.complain(*name,
                         "name = \"default\" is where machines without a cloud are; choose another "
                         "name");
  else
    reading.spec.name = name->text;
}

/// The line of "FILE:LINE"; 0 where there is none.
unsigned line_of(const Problem& problem, const std::string& file) {
  unsigned line = 0;
  if (problem.where.size() > file.size() + 1 && problem.where.starts_with(file + ":"))
    std::from_chars(problem.where.data() + file.size() + 1,
                    problem.where.data() + problem.where.size(), line);
  return line;
}

}  // namespace

const CloudMachine* CloudSpec::machine(std::string_view wanted) const {
  const auto found = std::find_if(machines.begin(), machines.end(), [&](const CloudMachine& each) {
    return each.wish.name.name == wanted;
  });
  return found == machines.end() ? nullptr : &*found;
}

std::string path_from(const std::string& folder, const std::string& path) {
  std::vector<std::string_view> parts;
  const std::string whole = path.starts_with('/') ? path : folder + "/" + path;
  const std::string_view text = whole;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!part.empty() && part != "." && part != "..") parts.push_back(part);
    at = end + 1;
  }
  std::string normal;
  for (const std::string_view part : parts) normal.append("/").append(part);
  return normal.empty() ? "/" : normal;
}

CloudSpec parse_cloud(std::string_view text, const std::string& file, const std::string& folder,
                      const std::vector<InstanceType>& types) {
  const ConfigNode root = parse_toml(text, file);
  Problems problems;
  TableReader top(root, file, problems);
  CloudSpec spec;
  spec.file = path_from(folder, file);
  CloudReading reading{top, file, folder, types, spec, problems};
  read_name(reading);
  if (const ConfigNode* autostart = top.take_flag("autostart")) spec.autostart = autostart->flag;
  read_cloud_ranges(reading);
  if (const ConfigNode* quota = top.take_table("quota"))
    spec.quota = read_quota(*quota, file, problems);
  read_cloud_networks(reading);
  refuse_overlaps(reading);
  read_cloud_groups(reading);
  read_cloud_answers(reading);
  read_cloud_machines(reading);
  top.refuse_the_rest();
  spec.autostart = std::any_of(spec.machines.begin(), spec.machines.end(),
                               [](const CloudMachine& machine) { return machine.autostart; });
  if (problems.empty()) return spec;
  std::stable_sort(problems.begin(), problems.end(), [&](const Problem& a, const Problem& b) {
    return line_of(a, file) < line_of(b, file);
  });
  problems.erase(std::unique(problems.begin(), problems.end()), problems.end());
  throw ConfigError(std::move(problems));
}

}  // namespace nutshell
