// Running `qemu --version` costs more than a third of a start, so what a binary says is kept by its
// identity on the disk (device, inode, size, time of change) and the kernel's release: an upgraded
// QEMU is another file, and is asked again.
#include "host/qemu_binary.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <array>
#include <charconv>

#include "host/note.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace nutshell::host {
namespace {

constexpr std::array candidates{"qemu-system-x86_64", "/usr/libexec/qemu-kvm", "qemu-kvm", "kvm"};

std::optional<std::string> find_qemu(const std::string& wanted) {
  if (!wanted.empty()) return find_program(wanted);
  for (const char* name : candidates)
    if (auto path = find_program(name)) return path;
  return std::nullopt;
}

std::string note_name(const struct stat& file) {
  utsname kernel{};
  ::uname(&kernel);
  std::string name =
      fmt::format("qemu-{:x}-{:x}-{:x}-{:x}.{:x}-{}", file.st_dev, file.st_ino, file.st_size,
                  file.st_mtim.tv_sec, file.st_mtim.tv_nsec, kernel.release);
  for (char& each : name)
    if (each == '/') each = '_';
  return name;
}

/// Fills in what the note says; false when it says nothing usable.
bool recall(const std::vector<std::string>& note, QemuFact& qemu) {
  if (note.size() != 3 || !parse_qemu_version("QEMU emulator version " + note[0], qemu))
    return false;
  qemu.pc_machine = note[1];
  qemu.q35_machine = note[2];
  return true;
}

std::string ask(const std::string& path, std::vector<std::string> words) {
  words.insert(words.begin(), path);
  return output_of({.argv = std::move(words),
                    .input = {},
                    .timeout = std::chrono::seconds(20),
                    .environment = {}});
}

std::string unfit(const QemuFact& qemu) {
  if (qemu.major < oldest_qemu_major ||
      (qemu.major == oldest_qemu_major && qemu.minor < oldest_qemu_minor)) {
    return fmt::format(
        "QEMU {} at {} is too old: nutshell needs {}.{} or later; name another with --qemu",
        qemu.version, qemu.path, oldest_qemu_major, oldest_qemu_minor);
  }
  if (qemu.pc_machine.empty() && qemu.q35_machine.empty())
    return fmt::format(
        "{} knows neither the machine pc nor q35: it is no QEMU for x86 machines; name another "
        "with --qemu",
        qemu.path);
  return {};
}

}  // namespace

bool parse_qemu_version(const std::string& text, QemuFact& qemu) {
  constexpr std::string_view before = "QEMU emulator version ";
  const std::size_t at = text.find(before);
  if (at == std::string::npos) return false;
  const std::size_t start = at + before.size();
  const std::size_t end = std::min(text.find_first_not_of("0123456789.", start), text.size());
  qemu.version = text.substr(start, end - start);
  const char* stop = qemu.version.data() + qemu.version.size();
  const auto major = std::from_chars(qemu.version.data(), stop, qemu.major);
  if (major.ec != std::errc() || major.ptr == stop || *major.ptr != '.') return false;
  return std::from_chars(major.ptr + 1, stop, qemu.minor).ec == std::errc();
}

void parse_qemu_machines(const std::string& text, QemuFact& qemu) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    constexpr std::string_view mark = "(alias of ";
    const std::string_view name = line.substr(0, line.find(' '));
    const std::size_t alias = line.find(mark);
    if (alias == std::string_view::npos) continue;
    const std::string_view rest = line.substr(alias + mark.size());
    const std::string target(rest.substr(0, rest.find(')')));
    if (name == "pc") qemu.pc_machine = target;
    if (name == "q35") qemu.q35_machine = target;
  }
}

QemuLookup observe_qemu(const std::string& wanted, const std::string& cache, Notes notes) {
  const auto path = find_qemu(wanted);
  if (!path && wanted.empty()) return {std::nullopt, missing_program(candidates[0])};
  if (!path)
    return {std::nullopt,
            fmt::format(
                "the QEMU that was asked for, {}, is not there or may not be run; check --qemu, or "
                "`qemu` in nutshell.toml",
                printable(wanted))};
  QemuFact qemu;
  qemu.path = *path;
  struct stat file {};
  if (::stat(path->c_str(), &file) != 0)
    return {std::nullopt, fmt::format("{} has just gone away; try again", *path)};
  const std::string name = note_name(file);
  const auto note = read_note(cache, name);
  if (!note || !recall(*note, qemu)) {
    try {
      const std::string said = ask(*path, {"--version"});
      if (!parse_qemu_version(said, qemu))
        return {
            std::nullopt,
            fmt::format("{} does not say a version as QEMU does; name another with --qemu", *path)};
      parse_qemu_machines(ask(*path, {"-machine", "help"}), qemu);
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      return {std::nullopt, error.what()};
    }
    if (notes == Notes::keep)
      write_note(cache, name, {qemu.version, qemu.pc_machine, qemu.q35_machine});
  }
  if (std::string trouble = unfit(qemu); !trouble.empty()) return {std::nullopt, trouble};
  return {qemu, {}};
}

}  // namespace nutshell::host
