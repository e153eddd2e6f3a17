// A download that broke off, or a disk that was full: qemu-img reads zeros beyond an image's end
// and calls that a success. So it is asked to check the image, where it can, and where each part of
// the content lies. Of a qcow2 neither says all: a table beyond the end reads as an empty one, and
// compressed clusters have no place, so its tables are read here (docs/interop/qcow2.txt).
#include "host/image_whole.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>

#include "host/fd.hpp"
#include "nutshell/error.hpp"
#include "nutshell/json.hpp"

namespace nutshell::host {
namespace {

constexpr std::chrono::seconds longest_silence{120};
constexpr Bytes sector = 512;
constexpr std::size_t tail_size = 4096;  // of ToolResult: its first line is none then
enum class CheckExit { whole = 0, leaks = 3, not_known = 63 };  // qemu-img(1), check

ConfigError fault(const OpenImage& image, const std::string& what) {
  return {fmt::format("image {}", image.path), what};
}

void refuse_beyond(const OpenImage& image, Bytes end, Bytes size) {
  if (end <= size) return;
  throw fault(image, fmt::format("is cut short: its content goes to byte {}, and it ends at {}; "
                                 "get it again",
                                 end, size));
}

ToolResult ask(const OpenImage& image, std::vector<std::string> words) {
  Tool tool{.argv = {"qemu-img"}, .input = {}, .environment = {}};
  tool.argv.insert(tool.argv.end(), words.begin(), words.end());
  tool.argv.insert(tool.argv.end(), {"-U", "--image-opts", image.options});
  tool.idle = longest_silence;
  tool.output_limit = 512 * mebi;  // a line for each piece of a large and scattered image
  return run(tool);
}

void refuse_failed_check(const OpenImage& image) {
  ToolResult result = ask(image, {"check", "-q"});
  for (const CheckExit fine : {CheckExit::whole, CheckExit::leaks, CheckExit::not_known})
    if (result.status == static_cast<int>(fine)) return;
  std::string& text = result.stderr_tail;
  const std::size_t line = text.find('\n');
  if (text.size() >= tail_size && line != std::string::npos) text.erase(0, line + 1);
  text.resize(std::min({text.size(), text.find('\n'), std::size_t{200}}));
  throw fault(
      image,
      fmt::format("is cut short or damaged (qemu-img check: {}); get it again{}",
                  words_of(result, image.options),
                  image.format == "qcow2" ? ", or mend a copy with: qemu-img check -r all" : ""));
}

/// Where qemu-img finds the content: an extent in each line.
void refuse_far_content(const OpenImage& image, Bytes size) {
  const ToolResult result = ask(image, {"map", "--output=json"});
  if (result.status != 0)
    throw fault(image, fmt::format("is cut short or damaged ({}); get it again",
                                   words_of(result, image.options)));
  std::istringstream lines(result.output);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find('{'), end = line.rfind('}');
    if (start == std::string::npos || end == std::string::npos) continue;
    const Json extent = Json::parse(line.substr(start, end - start + 1));
    if (!extent.find("offset")) continue;
    refuse_beyond(image, static_cast<Bytes>(extent.integer("offset") + extent.integer("length")),
                  size);
  }
}

/// The tables of a qcow2 that qemu-img has checked.
class Qcow2 {
 public:
  Qcow2(const OpenImage& image, const Fd& file, Bytes size)
      : image_(image), file_(file), size_(size) {
    std::array<unsigned char, 80> head{};
    read(0, head.data(), head.size());
    cluster_bits_ = static_cast<unsigned>(number(&head[20], 4));
    virtual_size_ = number(&head[24], 8);
    if (cluster_bits_ < 9 || cluster_bits_ > 21) throw fault(image, "its qcow2 header is damaged");
    extended_ = number(&head[4], 4) >= 3 && (head[79] & 0x10) != 0;
    const Bytes entries = number(&head[36], 4), at = number(&head[40], 8);
    refuse_beyond(image, at + entries * 8, size);
    first_.resize(entries * 8);
    read(at, first_.data(), first_.size());
  }

  void refuse_beyond_end() const {
    std::vector<unsigned char> table(cluster());
    const Bytes step = extended_ ? 16 : 8, clusters_of_one = cluster() / step;
    for (Bytes i = 0; i * 8 < first_.size(); ++i) {
      const Bytes place = number(&first_[i * 8], 8) & offset_mask;
      if (place == 0) continue;
      refuse_beyond(image_, place + cluster(), size_);
      read(place, table.data(), table.size());
      for (Bytes j = 0; j < clusters_of_one; ++j) {
        const Bytes guest = (i * clusters_of_one + j) << cluster_bits_;
        if (guest >= virtual_size_) return;
        const Bytes allocated = extended_ ? number(&table[j * step + 8], 8) & 0xffffffff : 0;
        look_at(number(&table[j * step], 8), allocated, virtual_size_ - guest);
      }
    }
  }

 private:
  static constexpr Bytes offset_mask = 0x00fffffffffffe00;
  static constexpr Bytes compressed = Bytes{1} << 62;

  /// `allocated`: a bit for each of 32 parts of the cluster, where the image counts in these.
  void look_at(Bytes entry, Bytes allocated, Bytes left) const {
    if (entry & compressed) {
      const unsigned shift = 62 - (cluster_bits_ - 8);
      const Bytes start = entry & ((Bytes{1} << shift) - 1);
      const Bytes sectors = ((entry & (compressed - 1)) >> shift) + 1;
      // The last one may end before its sector does.
      refuse_beyond(image_, start / sector * sector + sectors * sector,
                    (size_ + sector - 1) / sector * sector);
      return;
    }
    const Bytes start = entry & offset_mask;
    Bytes used = cluster();
    if (extended_) {
      used = 0;
      for (Bytes part = 0; part < 32; ++part)
        if (allocated >> part & 1) used = cluster() / 32 * (part + 1);
    } else if (entry & 1) {
      used = 0;  // reads as zeros, whatever is there
    }
    if (start != 0 && used != 0) refuse_beyond(image_, start + std::min(used, left), size_);
  }
  [[nodiscard]] Bytes cluster() const { return Bytes{1} << cluster_bits_; }
  static std::uint64_t number(const unsigned char* at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | at[i];
    return value;
  }
  void read(Bytes at, unsigned char* into, std::size_t size) const {
    if (::pread(file_.get(), into, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size))
      throw fault(image_, "is cut short, or cannot be read; get it again");
  }

  const OpenImage& image_;
  const Fd& file_;
  Bytes size_, virtual_size_ = 0;
  unsigned cluster_bits_ = 16;
  bool extended_ = false;
  std::vector<unsigned char> first_;
};

}  // namespace

void refuse_damaged(const OpenImage& image) {
  if (image.format == "raw") return;
  const Fd file(::open(image.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const off_t end = file ? ::lseek(file.get(), 0, SEEK_END) : -1;
  if (end < 0) throw SystemError(errno, fmt::format("image {}: cannot read its size", image.path));
  const Bytes size = static_cast<Bytes>(end);
  refuse_failed_check(image);
  if (image.format == "qcow2") return Qcow2(image, file, size).refuse_beyond_end();
  // Its blocks are whole sectors, and qemu-img does not say where they are.
  if (image.format == "vhdx" && size % sector != 0)
    refuse_beyond(image, (size / sector + 1) * sector, size);
  if (!image.parts) refuse_far_content(image, size);
}

std::string words_of(const ToolResult& result, const std::string& options) {
  std::string said = result.stderr_tail;
  for (const std::string& noise :
       {std::string("qemu-img: "), fmt::format("Could not open '{}': ", options)})
    for (std::size_t at = 0; (at = said.find(noise)) != std::string::npos;)
      said.erase(at, noise.size());
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? "qemu-img said nothing" : printable(said);
}

}  // namespace nutshell::host
