// The rows of the command table about volumes.
#include <vector>

#include "app/cmd.hpp"

namespace nutshell {
namespace {

constexpr Option vg_option{"vg", "VG",
                           "in this volume group (default: vg in nutshell.toml, or a file)"};
constexpr Option thin_option{"thin", "POOL", "in this thin pool of the group"};
constexpr Option file_option{"file", "", "a file, although nutshell.toml names a volume group"};
constexpr Option format_option{"format", "raw|qcow2", "of a file (default: raw)"};
constexpr Option volume_create_options[] = {
    {"size", "SIZE", "how large, such as 10G"}, vg_option, thin_option, file_option, format_option};
constexpr Option volume_import_options[] = {
    {"size", "SIZE", "how large (default: as the image)"},
    {"image-format", "FORMAT", "what the image is (default: detected, and shown)"},
    vg_option,
    thin_option,
    file_option,
    format_option};
constexpr Option volume_rm_options[] = {{"wipe", "", "zero all of it first"}};

}  // namespace

std::vector<Command> volume_commands() {
  const char* resources = "Resources";
  const auto change = Access::change, look = Access::look;
  return {
      {"volume ls",
       resources,
       "the volumes: disks of machines, standalone ones, snapshots",
       "",
       0,
       0,
       {},
       "nutshell volume ls\nnutshell volume ls --json | jq '.volumes[].path'\n",
       look,
       run_volume_ls},
      {"volume create", resources, "make a volume that belongs to no machine", "NAME", 1, 1,
       volume_create_options,
       "nutshell volume create data --size 10G --vg vg01\nnutshell volume create data --size 10G "
       "--vg vg01 --thin pool0\nnutshell volume create data --size 10G --file --format qcow2\n",
       change, run_volume_create},
      {"volume rm", resources, "remove a standalone volume or a snapshot", "VOLUME", 1, 1,
       volume_rm_options, "nutshell volume rm data --wipe\nnutshell volume rm vg01/data.before\n",
       change, run_volume_rm},
      {"volume resize",
       resources,
       "make a volume larger; a guest that runs is told",
       "VOLUME SIZE",
       2,
       2,
       {},
       "nutshell volume resize ciab:0 200G\nnutshell volume resize data +10G\n",
       change,
       run_volume_resize},
      {"volume snapshot",
       resources,
       "keep a logical volume as it is at this moment",
       "VOLUME SNAP",
       2,
       2,
       {},
       "nutshell volume snapshot ciab before-upgrade\n",
       change,
       run_volume_snapshot},
      {"volume restore",
       resources,
       "go back to a snapshot; the snapshot is kept",
       "SNAPSHOT",
       1,
       1,
       {},
       "nutshell volume restore vm.default.ciab.0.before-upgrade\n",
       change,
       run_volume_restore},
      {"volume clone",
       resources,
       "copy a volume to a new standalone one",
       "VOLUME NAME",
       2,
       2,
       {},
       "nutshell volume clone ciab:0 golden\n",
       change,
       run_volume_clone},
      {"volume import", resources, "make a volume from a disk image", "IMAGE NAME", 2, 2,
       volume_import_options,
       "nutshell volume import debian-12.qcow2 debian --vg vg01\nnutshell volume import disk.img "
       "old "
       "--image-format raw --format qcow2 --size 20G\n",
       change, run_volume_import},
  };
}

}  // namespace nutshell
