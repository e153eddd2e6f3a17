// Images made by the real qemu-img, and damaged by hand.
#include <doctest/doctest.h>

#include <filesystem>

#include "host/files.hpp"
#include "host/scratch.hpp"
#include "host/tool.hpp"
#include "nutshell/error.hpp"

namespace fs = std::filesystem;
using namespace nutshell;
using namespace nutshell::host;

namespace {
void qemu_img(std::vector<std::string> words) {
  words.insert(words.begin(), "qemu-img");
  (void)output_of({.argv = std::move(words), .input = {}, .environment = {}});
}
std::string complaint(const std::string& path, DiskFormat format = DiskFormat::qcow2) {
  return scratch::sentence_of([&] { (void)look_at_image(path, format); });
}
bool says(const std::string& sentence, const std::string& words) {
  CAPTURE(sentence);
  return sentence.find(words) != std::string::npos;
}
void patch(const std::string& path, std::streamoff at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << bytes;
}
}  // namespace

TEST_CASE("raw images are believed, whatever they begin with") {
  const scratch::Folder folder;
  scratch::put(folder / "raw", std::string(4096, 'x'));
  const ImageFacts plain = look_at_image(folder / "raw", DiskFormat::raw);
  CHECK(plain.size == 4096);
  CHECK_FALSE(plain.qcow2);
  CHECK_FALSE(plain.block_device);
  qemu_img(
      {"create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw", folder / "evil", "1M"});
  const ImageFacts evil = look_at_image(folder / "evil", DiskFormat::raw);
  CHECK(evil.qcow2);
  CHECK(evil.backing.empty());
  CHECK(evil.size == fs::file_size(folder / "evil"));
}

TEST_CASE("a chain of three, with relative names, in both qcow2 versions") {
  const scratch::Folder folder;
  fs::create_directory(folder / "sub");
  scratch::put(folder / "base.raw", std::string(65536, 'x'));
  for (const char* compat : {"0.10", "1.1"}) {
    const std::string version = std::string("compat=") + compat;
    const std::string mid = folder / (std::string("mid") + compat);
    const std::string top = folder / (std::string("sub/top") + compat);
    qemu_img({"create", "-q", "-f", "qcow2", "-o", version, "-b", "base.raw", "-F", "raw", mid});
    qemu_img({"create", "-q", "-f", "qcow2", "-o", version, "-b", std::string("../mid") + compat,
              "-F", "qcow2", top, "5M"});
    const ImageFacts facts = look_at_image(top, DiskFormat::qcow2);
    CHECK(facts.size == 5 * mebi);
    REQUIRE(facts.backing.size() == 2);
    CHECK(fs::equivalent(facts.backing[0].path, mid));
    CHECK(facts.backing[0].format == DiskFormat::qcow2);
    CHECK(fs::equivalent(facts.backing[1].path, folder / "base.raw"));
    CHECK(facts.backing[1].format == DiskFormat::raw);
  }
}

TEST_CASE("what cannot be used is refused with the reason") {
  const scratch::Folder folder;
  CHECK_THROWS_AS((void)look_at_image(folder / "none", DiskFormat::raw), NotFound);
  CHECK(says(complaint(folder.path(), DiskFormat::raw), "is a folder"));
  CHECK(says(complaint("/dev/null", DiskFormat::raw), "neither a file nor a block device"));
  scratch::put(folder / "raw", std::string(4096, 'x'));
  CHECK(says(complaint(folder / "raw"), "is no qcow2"));
  scratch::put(folder / "short", std::string("QFI\xfb\0\0\0\3", 8));
  CHECK(says(complaint(folder / "short"), "cut short"));

  const std::string image = folder / "q";
  const auto fresh = [&](std::vector<std::string> more = {}) {
    fs::remove(image);
    std::vector<std::string> words{"create", "-q", "-f", "qcow2"};
    words.insert(words.end(), more.begin(), more.end());
    words.insert(words.end(), {image, "1M"});
    qemu_img(words);
  };
  fresh();
  patch(image, 7, "\x09");
  CHECK(says(complaint(image), "version 9"));
  fresh();
  patch(image, 35, "\x01");
  CHECK(says(complaint(image), "encrypted"));
  fresh({"-o", "data_file=" + (folder / "data"), "-o", "data_file_raw=on"});
  CHECK(says(complaint(image), "in another file"));
  fresh();
  patch(image, 100, std::string("\xff\xff\xff\xff", 4));
  CHECK(says(complaint(image), "damaged"));
  fresh({"-b", folder / "raw", "-F", "raw"});
  patch(image, 16, std::string("\x7f\xff\xff\xff", 4));
  CHECK(says(complaint(image), "damaged"));
}

TEST_CASE("chains that loop, are gone, lead away, or do not name a format") {
  const scratch::Folder folder;
  const std::string a = folder / "a", b = folder / "b";
  qemu_img({"create", "-q", "-f", "qcow2", a, "1M"});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", a, "-F", "qcow2", b});
  qemu_img({"rebase", "-u", "-f", "qcow2", "-b", b, "-F", "qcow2", a});
  CHECK(says(complaint(a), "loop"));
  qemu_img({"rebase", "-u", "-f", "qcow2", "-b", folder / "gone", "-F", "raw", a});
  CHECK(says(complaint(a), "no such file"));
  qemu_img({"rebase", "-u", "-f", "qcow2", "-b", "nbd://host/x", "-F", "raw", a});
  CHECK(says(complaint(a), "only plain files"));
  qemu_img({"rebase", "-u", "-f", "qcow2", "-b", b, "-F", "vmdk", a});
  CHECK(says(complaint(a), "format vmdk"));

  qemu_img({"create", "-q", "-f", "qcow2", "-b", b, "-F", "qcow2", "-u", folder / "old", "1M"});
  // Turns the extension that names the format into one that nobody knows.
  const std::string raw = scratch::get(folder / "old");
  const std::size_t at = raw.find("\xe2\x79\x2a\xca");
  REQUIRE(at != std::string::npos);
  patch(folder / "old", static_cast<std::streamoff>(at), "\x11\x22\x33\x44");
  const std::string sentence = complaint(folder / "old");
  CHECK(says(sentence, "does not say which format"));
  CHECK(says(sentence, "qemu-img rebase -u -b"));
}
