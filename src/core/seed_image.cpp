// A disk of three small files, as ECMA-119 (ISO 9660) and Joliet have it. Made here and by no
// program, so that a cloud of a thousand machines starts none, and the same seed is the same bytes.
// Whoever reads it finds the files by either of its two trees, which lead to the same blocks.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "nutshell/answers.hpp"

namespace nutshell {
namespace {

constexpr std::size_t block = 2048;
constexpr std::string_view volume_name = "cidata";

// Blocks, in order. The first sixteen are left to the system that would boot from it.
enum Place : std::uint32_t {
  primary = 16,
  joliet,
  terminator,
  path_primary_low,
  path_primary_high,
  path_joliet_low,
  path_joliet_high,
  root_primary,
  root_joliet,
  first_file,
};

struct File {
  std::string_view name, content;
  std::uint32_t at = 0;
};

std::size_t blocks_of(std::size_t size) { return (size + block - 1) / block; }

void put_low(std::string& to, std::size_t at, std::uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) to[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}
void put_high(std::string& to, std::size_t at, std::uint32_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i)
    to[at + i] = static_cast<char>(value >> (8 * (bytes - 1 - i)) & 0xff);
}
/// A number as most of them are kept: lowest byte first, then highest first.
void put_both(std::string& to, std::size_t at, std::uint32_t value, unsigned bytes) {
  put_low(to, at, value, bytes);
  put_high(to, at + bytes, value, bytes);
}
void put(std::string& to, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), to.begin() + static_cast<std::ptrdiff_t>(at));
}

std::string wide(std::string_view text) {
  std::string out;
  for (const char c : text) out += {'\0', c};
  return out;
}

/// The name of a file in the plain tree, which Linux shows in small letters and without its
/// version.
std::string plain(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out + ".;1";
}

// 2000-01-01 00:00 UTC: no time is told that would differ from one making to the next.
constexpr std::array<char, 7> some_day{100, 1, 1, 0, 0, 0, 0};

std::string record(const std::string& name, std::uint32_t at, std::size_t size, bool folder) {
  constexpr std::size_t fixed = 33;
  const std::size_t length = (fixed + name.size() + 1) / 2 * 2;
  std::string out(length, '\0');
  out[0] = static_cast<char>(length);
  put_both(out, 2, at, 4);
  put_both(out, 10, static_cast<std::uint32_t>(size), 4);
  put(out, 18, {some_day.data(), some_day.size()});
  out[25] = folder ? 2 : 0;
  put_both(out, 28, 1, 2);
  out[32] = static_cast<char>(name.size());
  put(out, fixed, name);
  return out;
}

std::string folder(std::uint32_t self, const std::vector<File>& files, bool is_joliet) {
  std::string out = record(std::string(1, '\0'), self, block, true) +
                    record(std::string(1, '\1'), self, block, true);
  for (const File& file : files)
    out +=
        record(is_joliet ? wide(file.name) : plain(file.name), file.at, file.content.size(), false);
  out.resize(block);
  return out;
}

std::string path_table(std::uint32_t root, bool low) {
  std::string out(block, '\0');
  out[0] = 1;
  (low ? put_low : put_high)(out, 2, root, 4);
  (low ? put_low : put_high)(out, 6, 1, 2);
  return out;
}
constexpr std::uint32_t path_table_size = 10;

std::string descriptor(bool is_joliet, std::uint32_t blocks) {
  std::string out(block, '\0');
  const auto text = [&](std::size_t at, std::size_t size, std::string_view words) {
    std::string field = is_joliet ? wide(words) : std::string(words);
    while (field.size() < size) field += is_joliet ? std::string{'\0', ' '} : " ";
    put(out, at, std::string_view(field).substr(0, size));
  };
  out[0] = is_joliet ? 2 : 1;
  put(out, 1, "CD001");
  out[6] = 1;
  text(8, 32, "");
  text(40, 32, volume_name);
  put_both(out, 80, blocks, 4);
  if (is_joliet) put(out, 88, "%/E");  // UCS-2, level 3
  put_both(out, 120, 1, 2);
  put_both(out, 124, 1, 2);
  put_both(out, 128, block, 2);
  put_both(out, 132, path_table_size, 4);
  put_low(out, 140, is_joliet ? path_joliet_low : path_primary_low, 4);
  put_high(out, 148, is_joliet ? path_joliet_high : path_primary_high, 4);
  const std::uint32_t root = is_joliet ? root_joliet : root_primary;
  put(out, 156, record(std::string(1, '\0'), root, block, true));
  text(190, 128, "");
  text(318, 128, "");
  text(446, 128, "");
  text(574, 128, "nutshell");
  text(702, 37, "");
  text(739, 37, "");
  text(776, 37, "");
  for (const std::size_t date : {813, 830, 847, 864}) put(out, date, "0000000000000000");
  out[881] = 1;
  return out;
}

std::uint32_t low_number(std::string_view from, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(from[at + i]);
  return value;
}

/// The file of that name in the wide tree of an image.
std::optional<std::string> file_in(std::string_view image, std::string_view name) {
  const std::string wanted = wide(name);
  std::string_view entries = image.substr(root_joliet * block, block);
  constexpr std::size_t fixed = 33;
  while (entries.size() > fixed && static_cast<unsigned char>(entries[0]) > fixed) {
    const std::size_t length = static_cast<unsigned char>(entries[0]);
    if (length > entries.size()) break;
    if (entries.substr(fixed, static_cast<unsigned char>(entries[32])) == wanted) {
      const std::uint64_t at = std::uint64_t{low_number(entries, 2)} * block,
                          size = low_number(entries, 10);
      if (at > image.size() || size > image.size() - at) break;
      return std::string(image.substr(at, size));
    }
    entries.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace

std::string seed_image(const Seed& seed) {
  std::vector<File> files{{"meta-data", seed.meta_data},
                          {"network-config", seed.network_config},
                          {"user-data", seed.user_data}};
  std::uint32_t next = first_file;
  for (File& file : files) {
    file.at = next;
    next += static_cast<std::uint32_t>(blocks_of(file.content.size()));
  }
  std::string image(primary * block, '\0');
  std::string end(block, '\0');
  end[0] = '\xff';
  put(end, 1, "CD001");
  end[6] = 1;
  image += descriptor(false, next) + descriptor(true, next) + end;
  image += path_table(root_primary, true) + path_table(root_primary, false);
  image += path_table(root_joliet, true) + path_table(root_joliet, false);
  image += folder(root_primary, files, false) + folder(root_joliet, files, true);
  for (const File& file : files) {
    image += file.content;
    image.resize(blocks_of(image.size()) * block);
  }
  return image;
}

std::optional<Seed> seed_in_image(std::string_view image) {
  if (image.size() < first_file * block ||
      image.substr(primary * block, 6) != std::string_view("\1CD001", 6) ||
      image.substr(primary * block + 40, volume_name.size()) != volume_name)
    return std::nullopt;
  const auto user = file_in(image, "user-data"), meta = file_in(image, "meta-data"),
             network = file_in(image, "network-config");
  if (!user || !meta || !network || !user->starts_with("#cloud-config\n# nutshell: "))
    return std::nullopt;
  return Seed{*user, *meta, *network};
}

}  // namespace nutshell
