// Images that somebody gives us, by qemu-img. An image may name other files: a backing file, a
// data file, extents of a vmdk; one that was made to do harm names /etc/shadow. So formats come
// from a list, the image is opened as a plain file or device and never by a protocol ("nbd:",
// "json:"), and one that would bring in another file is refused: its owner can make it whole by
// `qemu-img convert`, knowing what it names.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "host/disk_fd.hpp"
#include "host/fd.hpp"
#include "host/image_whole.hpp"
#include "host/lvm.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"
#include "nutshell/json.hpp"

namespace nutshell::host {
namespace {

constexpr std::array known_formats{"raw", "qcow2", "qcow",      "qed", "vmdk",  "vdi",
                                   "vpc", "vhdx",  "parallels", "dmg", "bochs", "cloop"};
constexpr std::chrono::seconds longest_silence{120};

/// A path as qemu-img takes it for nothing else: from the root, and without links.
struct Place {
  std::string path;
  bool block = false;
};

Place place_of(const std::string& path) {
  const auto fault = [&](const std::string& what) {
    return ConfigError(fmt::format("image {}", path), what);
  };
  const std::unique_ptr<char, void (*)(void*)> whole(::realpath(path.c_str(), nullptr), std::free);
  struct stat facts {};
  if (!whole || ::stat(whole.get(), &facts) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) throw fault("there is no such file");
    throw SystemError(error, fmt::format("image {}: cannot look at it", path));
  }
  if (!S_ISREG(facts.st_mode) && !S_ISBLK(facts.st_mode))
    throw fault("is neither a file nor a block device");
  return {whole.get(), S_ISBLK(facts.st_mode)};
}

/// key=value of --image-opts: a comma is doubled.
std::string options_of(const Place& place, const std::string& format, const char* more = "") {
  std::string name;
  for (const char byte : place.path) name.append(byte == ',' ? 2 : 1, byte);
  return fmt::format("driver={},file.driver={},file.filename={}{}", format,
                     place.block ? "host_device" : "file", name, more);
}

/// A qcow2 with the incompatible feature bit 2 keeps its data in another file, which qemu-img would
/// open to look at it (docs/interop/qcow2.txt).
void refuse_data_file(const Place& place) {
  const Fd file(::open(place.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) throw SystemError(errno, fmt::format("image {}: cannot open", place.path));
  std::array<unsigned char, 80> head{};
  const ssize_t got = ::pread(file.get(), head.data(), head.size(), 0);
  constexpr std::array<unsigned char, 4> magic{'Q', 'F', 'I', 0xfb};
  if (got == static_cast<ssize_t>(head.size()) &&
      std::equal(magic.begin(), magic.end(), head.begin()) && head[7] >= 3 && (head[79] & 4) != 0)
    throw ConfigError(
        fmt::format("image {}", place.path),
        "keeps its data in another file, which it could choose at will; make it whole "
        "first with: qemu-img convert");
}

/// The extents of a vmdk that are other files: those that lie beside it under a plain name are its
/// own parts, as VMware makes them, and must be whole. True when there are any.
bool has_parts(const Place& place, const Json& info) {
  const Json* specific = info.find("format-specific");
  const Json* data = specific ? specific->find("data") : nullptr;
  const Json* extents = data ? data->find("extents") : nullptr;
  if (!extents || !extents->is_array()) return false;
  bool parts = false;
  const std::string folder = place.path.substr(0, place.path.rfind('/') + 1);
  for (const Json& extent : extents->as_array()) {
    const std::string name = extent.text("filename");
    struct stat facts {};
    const bool beside =
        name.starts_with(folder) && name.find('/', folder.size()) == std::string::npos;
    if (name == place.path) continue;
    if (!beside || ::lstat(name.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode))
      throw ConfigError(
          fmt::format("image {}", place.path),
          fmt::format("reads another file, {}; make it whole first with: qemu-img convert",
                      printable(name)));
    parts = true;
    if (extent.text("format") == "FLAT" && facts.st_size < extent.integer("virtual-size"))
      throw ConfigError(fmt::format("image {}", place.path),
                        fmt::format("its part {} is cut short; get it again", printable(name)));
  }
  return parts;
}

ToolResult info_of(const Place& place, const std::string& options) {
  Tool tool{.argv = {"qemu-img", "info", "--output=json", "-U"}, .input = {}, .environment = {}};
  if (options.empty())
    tool.argv.push_back(place.path);  // from the root: no protocol begins with '/'
  else
    tool.argv.insert(tool.argv.end(), {"--image-opts", options});
  return run(tool);
}

void refuse_unknown(const std::string& path, const std::string& format) {
  if (std::find(known_formats.begin(), known_formats.end(), format) != known_formats.end()) return;
  throw ConfigError(fmt::format("image {}", path),
                    fmt::format("the format {} is not known; these are: {}", printable(format),
                                fmt::join(known_formats, " ")));
}

/// The number in "    (12.34/100%)", of the last one in the text.
std::optional<double> percent_in(std::string_view text) {
  const std::size_t end = text.rfind("/100%)");
  if (end == std::string_view::npos) return std::nullopt;
  const std::size_t start = text.rfind('(', end);
  double value = 0;
  if (start == std::string_view::npos ||
      std::from_chars(text.data() + start + 1, text.data() + end, value).ec != std::errc())
    return std::nullopt;
  return std::clamp(value, 0.0, 100.0);
}

}  // namespace

ImageFact observe_image(const std::string& path, const std::string& format) {
  if (!format.empty()) refuse_unknown(path, format);
  const Place place = place_of(path);
  if (format != "raw") refuse_data_file(place);
  const std::string options = format.empty() ? "" : options_of(place, format);
  const ToolResult result = info_of(place, options);
  if (result.status != 0)
    throw ConfigError(fmt::format("image {}", path),
                      fmt::format("qemu-img cannot read it: {}; it knows: {}",
                                  words_of(result, options), fmt::join(known_formats, " ")));
  const Json info = Json::parse(result.output);
  ImageFact fact;
  fact.format = info.text("format");
  refuse_unknown(path, fact.format);
  if (info.find("backing-filename") != nullptr)
    throw ConfigError(
        fmt::format("image {}", path),
        "has a backing file, which it could choose at will; make it whole first with: qemu-img "
        "convert");
  const bool parts = fact.format == "vmdk" && has_parts(place, info);
  fact.virtual_size = static_cast<Bytes>(info.integer("virtual-size"));
  fact.file_size = static_cast<Bytes>(info.integer("actual-size"));
  refuse_damaged({place.path, fact.format, options_of(place, fact.format), parts});
  return fact;
}

void fill(const std::string& image, const std::string& image_format, const std::string& path,
          DiskFormat format, const Progress& progress) {
  const ImageFact fact = observe_image(image, image_format);
  // qemu-img gets this very file, whatever the name leads to by then.
  const Fd disk = open_disk(path, O_RDWR);
  struct stat facts {};
  if (::fstat(disk.get(), &facts) != 0)
    throw SystemError(errno, fmt::format("{}: cannot look at it", path));
  const Place from = place_of(image);
  const Place to{fmt::format("/proc/{}/fd/{}", ::getpid(), disk.get()), S_ISBLK(facts.st_mode)};
  const std::string source = options_of(from, fact.format);
  Tool tool{.argv = {"qemu-img", "convert", "-p", "-n", "-t", to.block ? "none" : "writeback",
                     "--image-opts", "--target-image-opts", source,
                     options_of(to, format == DiskFormat::qcow2 ? "qcow2" : "raw",
                                ",file.discard=unmap")},
            .input = {},
            .environment = {}};
  tool.idle = longest_silence;
  tool.output_limit = 16 * mebi;
  double percent = 0;
  std::string seen;
  tool.watch = [&](std::string_view text) {
    seen = (seen + std::string(text));
    if (seen.size() > 64) seen.erase(0, seen.size() - 64);
    percent = std::max(percent, percent_in(seen).value_or(0));
    if (progress)
      progress(static_cast<Bytes>(static_cast<double>(fact.virtual_size) * percent / 100),
               fact.virtual_size);
  };
  const ToolResult result = run(tool);
  if (result.status != 0)
    throw Failed(fmt::format("image {}: qemu-img cannot copy it into {}: {}", printable(image),
                             printable(path), words_of(result, source)));
  if (progress) progress(fact.virtual_size, fact.virtual_size);
}

}  // namespace nutshell::host
