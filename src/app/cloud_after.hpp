// What machines of a cloud wait for, before anything is changed.
#pragma once
#include "app/cloud_work.hpp"

namespace nutshell {

/// Conditions of `after` that can never be met: an expression that is none, a port of a machine
/// without an address that is known. Each at its line of the file.
Problems faults_of_after(const CloudWork& work);

}  // namespace nutshell
