// One --disk. Either a size (a volume of ours is made, and dies with the machine) or a path (it is
// there already, and is never deleted): never both, because the difference decides what rm removes.
#include <string>
#include <vector>

#include "core/spec_options.hpp"
#include "nutshell/spec.hpp"

namespace nutshell {
namespace {

const std::vector<std::string>& disk_keys() {
  static const std::vector<std::string> keys{
      "size",      "path", "bus",     "format",         "cache", "aio",  "discard",
      "read_only", "ro",   "backing", "backing_format", "vg",    "thin", "file"};
  return keys;
}

void take_size(OptionList& list, const std::string& text, const std::string& where, DiskSpec& disk,
               Problems& problems) {
  if (disk.size) {
    list.complain("the size is given twice");
    return;
  }
  try {
    disk.size = parse_size(text, where);
  } catch (const ConfigError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    disk.size = 1;  // the kind of disk is known; only its size is wrong
  }
}

std::string take_path(OptionList& list, std::string_view key) {
  const auto path = list.take(key);
  if (!path) return "";
  const std::string fault = text_fault(*path);
  if (!fault.empty())
    list.complain(std::string(key) + "=" + quoted(*path) + " cannot be used: " + fault);
  return *path;
}

void take_volume_group(OptionList& list, DiskSpec& disk) {
  disk.vg = list.take("vg").value_or("");
  disk.thin = list.take("thin").value_or("");
  disk.file = list.take_switch("file").value_or(false);
  if (disk.file && !(disk.vg.empty() && disk.thin.empty()))
    list.complain("file=on makes a file, and vg= and thin= a logical volume; give one of them");
  if (disk.format == DiskFormat::qcow2 && !(disk.vg.empty() && disk.thin.empty()))
    list.complain(disk.backing.empty()
                      ? "a logical volume is always raw; leave format=qcow2 out, or vg="
                      : "a logical volume has no backing file; leave backing= out, or vg=");
}

void take_backing(OptionList& list, bool format_known, DiskSpec& disk) {
  BackingLayer layer{take_path(list, "backing"), DiskFormat::raw};
  const bool named = list.has("backing_format");
  list.take_word("backing_format", layer.format);
  if (layer.path.empty()) {
    if (named) list.complain("backing_format= needs backing=FILE");
    return;
  }
  if (!named)
    list.complain("backing=" + quoted(layer.path) +
                  " needs backing_format=raw or backing_format=qcow2: formats are named, never "
                  "guessed");
  if (format_known && disk.format == DiskFormat::raw)
    list.complain("a raw disk has no backing file; write format=qcow2 or leave format= out");
  disk.format = DiskFormat::qcow2;
  disk.backing.push_back(std::move(layer));
}

}  // namespace

DiskSpec parse_disk(std::string_view text, const std::string& where, Problems& problems) {
  DiskSpec disk;
  OptionList list(text, where, problems);
  bool sized = false;
  if (const auto word = list.take_leading_word(disk_keys())) {
    if (word->find('/') != std::string::npos) {
      list.complain("a file or device that exists is given as path=" +
                    printable(word->substr(0, 60)));
      disk.path = *word;
    } else {
      sized = true;
      take_size(list, *word, where, disk, problems);
    }
  }
  if (const auto size = list.take("size")) {
    sized = true;
    take_size(list, *size, where, disk, problems);
  }
  if (const std::string path = take_path(list, "path"); !path.empty()) disk.path = path;
  list.take_word("bus", disk.bus);
  disk.format_named = list.take_word("format", disk.format);
  list.take_word("cache", disk.cache);
  list.take_word("aio", disk.aio);
  disk.discard = list.take_switch("discard").value_or(disk.discard);
  const auto read_only = list.take_switch("read_only"), ro = list.take_switch("ro");
  if (read_only && ro) list.complain("read_only and ro are the same; give one of them");
  disk.read_only = read_only.value_or(ro.value_or(false));
  take_backing(list, disk.format_named, disk);
  take_volume_group(list, disk);
  list.refuse_the_rest(disk_keys());
  if (!text.empty() && sized && !disk.path.empty())
    list.complain("a size makes a new volume and path= uses one that exists; give one of the two");
  if (!sized && !disk.path.empty() && (disk.file || !disk.vg.empty() || !disk.thin.empty()))
    list.complain(
        "vg=, thin= and file= say where a new volume is made, and path= uses one that "
        "exists; leave them out");
  if (!text.empty() && !sized && disk.path.empty())
    list.complain("a disk needs a size (100G) or path=FILE");
  return disk;
}

}  // namespace nutshell
