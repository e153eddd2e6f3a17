// What an image is, by its own header. QEMU is handed every layer of a backing chain as a
// descriptor, so the chain must be known before it starts, and reading 100 bytes of each layer is
// quicker than running qemu-img. Formats are believed, never guessed: a raw image whose guest
// writes a qcow2 header must not be able to name a file of the host.
// The layout is that of docs/interop/qcow2.txt in QEMU's source.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <set>

#include "host/fd.hpp"
#include "host/files.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::uint32_t magic = 0x514649fb;  // "QFI\xfb"
constexpr std::uint32_t backing_format_extension = 0xe2792aca;
constexpr std::uint64_t external_data_bit = 1U << 2;
constexpr unsigned longest_chain = 200;

struct Header {
  Bytes virtual_size = 0;
  std::string backing;         ///< as written; empty: none
  std::string backing_format;  ///< empty: not named
};

class Image {
 public:
  explicit Image(const std::string& path) : path_(path) {
    fd_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd_) {
      const int error = errno;
      if (error == ENOENT || error == ENOTDIR)
        throw NotFound(fmt::format("disk {}: there is no such file", path));
      throw SystemError(error, fmt::format("disk {}: cannot open", path));
    }
    if (::fstat(fd_.get(), &stat_) != 0)
      throw SystemError(errno, fmt::format("disk {}: cannot look at it", path));
    if (!S_ISREG(stat_.st_mode) && !S_ISBLK(stat_.st_mode)) {
      throw fault(S_ISDIR(stat_.st_mode) ? "is a folder, not a disk image"
                                         : "is neither a file nor a block device");
    }
  }

  [[nodiscard]] bool block_device() const { return S_ISBLK(stat_.st_mode); }
  [[nodiscard]] std::pair<dev_t, ino_t> identity() const { return {stat_.st_dev, stat_.st_ino}; }
  [[nodiscard]] Bytes length() const {
    std::uint64_t bytes = 0;
    if (!block_device()) return static_cast<Bytes>(stat_.st_size);
    if (::ioctl(fd_.get(), BLKGETSIZE64, &bytes) != 0)
      throw SystemError(errno, fmt::format("disk {}: cannot read its size", path_));
    return bytes;
  }
  [[nodiscard]] bool is_qcow2() const {
    std::array<unsigned char, 4> start{};
    return ::pread(fd_.get(), start.data(), 4, 0) == 4 && number(start.data(), 4) == magic;
  }
  [[nodiscard]] Header qcow2_header() const;
  [[nodiscard]] ConfigError fault(const std::string& what) const {
    return {fmt::format("disk {}", path_), what};
  }

 private:
  static std::uint64_t number(const unsigned char* at, int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | at[i];
    return value;
  }
  void read(std::uint64_t offset, void* into, std::size_t size) const {
    if (::pread(fd_.get(), into, size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size))
      throw fault("its qcow2 header is cut short or damaged");
  }

  std::string path_;
  Fd fd_;
  struct stat stat_ {};
};

Header Image::qcow2_header() const {
  if (!is_qcow2()) throw fault("is no qcow2 image; name its format with format=raw");
  std::array<unsigned char, 104> raw{};
  read(0, raw.data(), 72);
  const std::uint64_t version = number(&raw[4], 4);
  if (version < 2 || version > 3)
    throw fault(fmt::format("is a qcow2 of version {}, which is not known", version));
  std::uint64_t extension = 72;
  if (version == 3) {
    read(0, raw.data(), raw.size());
    if (number(&raw[72], 8) & external_data_bit)
      throw fault(
          "keeps its data in another file, which is not supported; convert it with qemu-img");
    extension = number(&raw[100], 4);
    if (extension < 104 || extension > 65536) throw fault("its qcow2 header is damaged");
  }
  if (number(&raw[32], 4) != 0) throw fault("is encrypted, which is not supported");

  Header header;
  header.virtual_size = number(&raw[24], 8);
  const std::uint64_t offset = number(&raw[8], 8), size = number(&raw[16], 4);
  if (offset == 0) return header;
  if (size == 0 || size > 1023) throw fault("the name of its backing file is damaged");
  header.backing.resize(size);
  read(offset, header.backing.data(), size);
  if (header.backing.find('\0') != std::string::npos)
    throw fault("the name of its backing file is damaged");

  // The extensions end before the backing file's name; each is type, length, data, padded to 8.
  for (int i = 0; i < 64 && extension + 8 <= offset; ++i) {
    std::array<unsigned char, 8> head{};
    read(extension, head.data(), head.size());
    const std::uint64_t type = number(head.data(), 4), length = number(&head[4], 4);
    if (type == 0) break;
    if (length > 65536) throw fault("its qcow2 header is damaged");
    if (type == backing_format_extension) {
      header.backing_format.resize(std::min<std::uint64_t>(length, 32));
      read(extension + 8, header.backing_format.data(), header.backing_format.size());
    }
    extension += 8 + (length + 7) / 8 * 8;
  }
  return header;
}

BackingLayer below(const Image& image, const std::string& path, const Header& header) {
  std::string name = header.backing;
  if (name.starts_with("file:")) name.erase(0, 5);
  const std::size_t colon = name.find(':');
  if (colon != std::string::npos && colon < name.find('/')) {
    throw image.fault(fmt::format(
        "its backing file is {}; only plain files and block devices are supported", name));
  }
  BackingLayer layer;
  const std::size_t slash = path.rfind('/');
  if (name.starts_with('/') || slash == std::string::npos)
    layer.path = name;
  else
    layer.path = path.substr(0, slash + 1) + name;
  if (header.backing_format.empty()) {
    throw image.fault(fmt::format(
        "does not say which format its backing file {} has; name it with: qemu-img rebase -u -b {} "
        "-F FORMAT {}",
        layer.path, shell_quote(header.backing), shell_quote(path)));
  }
  if (!from_word(header.backing_format, layer.format)) {
    throw image.fault(
        fmt::format("its backing file {} has the format {}; only raw and qcow2 are supported",
                    layer.path, header.backing_format));
  }
  return layer;
}

}  // namespace

ImageFacts look_at_image(const std::string& path, DiskFormat format) {
  ImageFacts facts;
  std::set<std::pair<dev_t, ino_t>> seen;
  std::string at = path;
  for (unsigned depth = 0;; ++depth) {
    const Image image(at);
    if (!seen.insert(image.identity()).second) throw image.fault("its backing files form a loop");
    if (depth > longest_chain)
      throw image.fault(fmt::format("there are more than {} backing files", longest_chain));
    if (depth == 0) {
      facts.block_device = image.block_device();
      facts.qcow2 = image.is_qcow2();
      facts.size = image.length();
    }
    if (format == DiskFormat::raw) return facts;
    const Header header = image.qcow2_header();
    if (depth == 0) facts.size = header.virtual_size;
    if (header.backing.empty()) return facts;
    facts.backing.push_back(below(image, at, header));
    at = facts.backing.back().path;
    format = facts.backing.back().format;
  }
}

}  // namespace nutshell::host
