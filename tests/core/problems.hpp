// What a parser complained about, as one text, for tests.
#pragma once
#include <string>

#include "nutshell/error.hpp"

inline std::string text_of(const nutshell::Problems& problems) {
  std::string text;
  for (const auto& problem : problems)
    text += (text.empty() ? "" : "\n") + problem.where + ": " + problem.what;
  return text;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The sentence of the ConfigError that `run` throws; empty when it throws none.
template <class Run>
std::string refusal(Run run) {
  try {
    run();
    return "";
  } catch (const nutshell::ConfigError& error) {
    return error.what();
  }
}
