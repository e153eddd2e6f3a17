// The note of an adoption on disk, and putting an uplink back by it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/uplink.hpp"
#include "nutshell/adoption.hpp"

namespace nutshell::host {

/// Held by whoever adopts, confirms, releases or puts back: one at a time on this host.
std::string adoption_lock(const std::string& folder);
/// Held by the dead-man of that bridge's adoption for as long as he lives.
std::string dead_man_lock(const std::string& folder, const std::string& bridge);

/// Every note in the folder; one that cannot be read is told to `trouble` (a sentence) and left
/// out. No folder: none, at the price of one system call.
std::vector<Adoption> read_adoptions(const std::string& folder, std::vector<std::string>& trouble);
/// nullopt when there is none. Throws Failed when it cannot be understood.
std::optional<Adoption> read_adoption(const std::string& folder, const std::string& bridge);
/// Replaces the note, and returns when it is on the disk, the folder's entry included.
void write_adoption(const std::string& folder, const Adoption& adoption);
/// Takes the note of an adoption that is over away, once its dead-man has seen that and gone
/// (within two seconds; else the note stays). Gone already is done.
void drop_adoption(const std::string& folder, const std::string& bridge);

/// The same, its uplink under the name that it has now if somebody renamed it: known by its index
/// (in the same boot and network namespace) and its MAC.
Adoption with_present_name(Adoption adoption);
UplinkNames names_of(const Adoption& adoption);
/// Puts the uplink back as the note has it, and writes down that, why, and what could not be done,
/// which it returns in sentences. The caller holds adoption_lock().
std::vector<std::string> restore_adoption(const std::string& folder, Adoption adoption,
                                          const std::string& reason);
/// Makes the host's own configuration of that bridge what it was before. Returns what is left to
/// do, in sentences.
std::vector<std::string> put_back_native(const Adoption& adoption);
/// True while the dead-man of that adoption lives.
bool has_dead_man(const std::string& folder, const Adoption& adoption);

}  // namespace nutshell::host
