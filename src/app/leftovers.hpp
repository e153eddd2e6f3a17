// What is ours by its mark and held by nobody: found with its evidence, taken away by `gc`.
#pragma once
#include <string>
#include <vector>

#include "app/house.hpp"
#include "nutshell/volumes.hpp"

namespace nutshell {

struct Leftover {
  enum class Kind {
    unknown_machine,
    plan,
    run,
    bridge,
    macvtap,
    dhcp,
    firewall,
    run_folder,
    machine_folder,
    lost_volume
  };
  Kind kind;
  std::string thing;     ///< "bridge nutshell0", "the folder /var/..."
  std::string evidence;  ///< the two proofs: our mark, and that nobody holds it
  std::string key;       ///< name, path or pid
  bool has_volumes = false;
  std::vector<VolumeName> logical{};  ///< of a machine's folder: the logical volumes with its mark
  std::string held{};                 ///< why nothing of it is taken away, whatever is asked for
};

/// Looks and changes nothing.
std::vector<Leftover> find_leftovers(House& house);
/// Takes one away. Throws what went wrong.
void drop_leftover(House& house, const Leftover& leftover);

/// Removes the files that commands left which were killed while they wrote a file of ours.
void drop_half_written(const House& house);

}  // namespace nutshell
