// Pieces that several plans are made of.
#pragma once
#include <string>
#include <vector>

#include "nutshell/step.hpp"

namespace nutshell {

/// Puts `more` at the end of `steps`.
void append(std::vector<Step>& steps, std::vector<Step> more);
/// Zeroes all of a volume; a logical one is active only meanwhile.
std::vector<Step> steps_to_wipe(const std::string& path, const std::string& vg);

}  // namespace nutshell
