// Whether an image's content is all there.
#pragma once
#include <string>

#include "host/tool.hpp"

namespace nutshell::host {

/// An image that qemu-img can open, and that brings in no other file.
struct OpenImage {
  std::string path;     ///< from the root, without links
  std::string format;   ///< as qemu-img calls it
  std::string options;  ///< for --image-opts
  bool parts = false;   ///< its content lies in other files beside it
};

/// Throws ConfigError when the image is cut short or damaged. A raw one has no length of its own.
void refuse_damaged(const OpenImage& image);

/// qemu-img's own words, without its name and the options that we gave it.
std::string words_of(const ToolResult& result, const std::string& options);

}  // namespace nutshell::host
