// Makes a cloud what its file wants: what is decided in cloud_work is done here.
#pragma once
#include <string>
#include <vector>

#include "app/cloud_errands.hpp"
#include "app/cloud_work.hpp"

namespace nutshell {

/// All that a cloud takes, in one transaction: ranges, networks, groups, machines with their
/// leases. Fills in the specs of `work`. Not committed.
void reserve_cloud(House& house, Transaction& transaction, CloudWork& work,
                   const CloudSpec& wanted);
/// The same without those that go, and with what changed machines take, for a transaction that is
/// rolled back: throws what would be thrown on the way.
void reserve_all(House& house, Transaction& transaction, CloudWork& work, const CloudSpec& wanted);
/// Forgets the networks that are not in the file any more. Throws Conflict where a machine has a
/// NIC there.
void drop_networks(House& house, Transaction& transaction, const CloudWork& work);
/// Asks the wire about public addresses that the cloud would be given, and adds the answers to
/// `work.facts`. A dry run asks nothing.
void probe_new_publics(House& house, CloudWork& work, const CloudSpec& wanted);

/// Does the work: those that go, the transaction, the folders and volumes of the new machines, the
/// changes of the old ones, and the starts. What is stopped has `patience` seconds. Gives what
/// could not be done for a machine. Throws Interrupted.
std::vector<ErrandResult> apply_work(House& house, CloudWork& work, const CloudFile& file,
                                     unsigned patience);

/// Where nothing is to be done but the file's lines have moved: what is kept of it is told.
void note_lines(House& house, const CloudWork& work, const CloudFile& file);

/// Takes away the groups, networks, ranges and the row of a cloud without machines.
void forget_cloud(House& house, const CloudSpec& cloud);

}  // namespace nutshell
