// What the firewall has of each machine and each group, as it was last put there, against what the
// registry wants: a command that was killed between the two leaves them apart.
#pragma once
#include <string>
#include <vector>

#include "app/firewall_note.hpp"
#include "app/house.hpp"
#include "nutshell/guard.hpp"

namespace nutshell {

/// A machine that runs, as the firewall is to have it.
struct GuardedRun {
  Uuid uuid;
  MachineName name;
  std::string guests;  ///< guests_to_json()
};

/// All that run and have something there, but one.
std::vector<GuardedRun> guarded_runs(House& house, const Uuid& leaving = {});
std::vector<GuestNic> nics_of(const std::vector<GuardedRun>& runs);

/// Notes that a machine's rules stand as they are here, and those of its groups where none of them
/// stood before. The note is the caller's to write.
void note_standing(FirewallNote& note, const Uuid& uuid, const std::string& guests,
                   const Groups& groups);
/// The same of a group that was made anew.
void note_standing(FirewallNote& note, const GroupRow& group);

/// A few other machines of the same cloud whose rules stand: what they share with it is in the
/// tables already. (Where it is not after all, nft says so.)
std::vector<GuestNic> standing_beside(House& house, const FirewallNote& note, const Uuid& uuid,
                                      const std::vector<GuestNic>& nics);

/// Where the host differs from what the registry wants, and no command is at work on it; in words.
/// Nothing where nft is not installed. Costs two looks at folders where nothing runs and nothing
/// stands.
std::vector<std::string> guard_drift(House& house);
/// Puts right what guard_drift() says. True when there was something.
bool mend_drift(House& house);

}  // namespace nutshell
