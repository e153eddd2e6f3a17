// Images of every sort into a disk, read back; and images that were made to read somebody else's
// files.
#include <doctest/doctest.h>

#include "host/loop_group.hpp"
#include "host/lvm.hpp"
#include "nutshell/error.hpp"

using namespace nutshell;
using namespace nutshell::host;

namespace {
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
void qemu_img(std::vector<std::string> words) {
  words.insert(words.begin(), "qemu-img");
  (void)output_of({.argv = std::move(words), .input = {}, .environment = {}});
}
std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; i += 97) text[i] = static_cast<char>('a' + i % 23);
  return text;
}
void empty_file(const std::string& path, Bytes size) {
  scratch::put(path, "");
  std::filesystem::resize_file(path, size);
}
}  // namespace

TEST_CASE("every format comes in whole, named or detected") {
  const scratch::Folder folder;
  const std::string bytes = pattern(3 * mebi);
  scratch::put(folder / "plain, with comma", bytes);
  for (const std::string format : {"raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx", "qed"}) {
    const std::string image = folder / ("image," + format);
    qemu_img({"convert", "-f", "raw", "-O", format, folder / "plain, with comma", image});
    for (const std::string& named : {std::string(), format}) {
      const ImageFact fact = observe_image(image, named);
      CHECK(fact.format == format);
      CHECK(fact.virtual_size >= bytes.size());
      empty_file(folder / "disk", 4 * mebi);
      Bytes last = 0;
      fill(image, named, folder / "disk", DiskFormat::raw, [&](Bytes done, Bytes total) {
        CHECK(done <= total);
        CHECK(done >= last);
        last = done;
      });
      CHECK(last == fact.virtual_size);
      CHECK(scratch::get(folder / "disk").substr(0, bytes.size()) == bytes);
    }
  }
}

TEST_CASE("onto a device, and into a qcow2") {
  const scratch::Folder folder;
  const std::string bytes = pattern(8 * mebi);
  scratch::put(folder / "plain", bytes);
  qemu_img({"convert", "-f", "raw", "-O", "qcow2", folder / "plain", folder / "image"});
  scratch::put(folder / "backing", std::string(16 * mebi, 'x'));
  const loop_group::Loop loop(folder / "backing", 0);
  fill(folder / "image", "", loop.path(), DiskFormat::raw, {});
  const std::string now = scratch::get(loop.path());
  CHECK(now.substr(0, bytes.size()) == bytes);
  CHECK(now.substr(bytes.size()) == std::string(8 * mebi, 'x'));
  qemu_img({"create", "-q", "-f", "qcow2", folder / "target", "16M"});
  fill(loop.path(), "raw", folder / "target", DiskFormat::qcow2, {});
  qemu_img({"convert", "-f", "qcow2", "-O", "raw", folder / "target", folder / "back"});
  CHECK(scratch::get(folder / "back") == now);
}

TEST_CASE("what cannot be read, and what it knows") {
  const scratch::Folder folder;
  scratch::put(folder / "text", "hello");
  empty_file(folder / "disk", mebi);
  CHECK_THROWS_AS(observe_image(folder / "none", ""), ConfigError);
  CHECK_THROWS_AS(observe_image(folder.path(), ""), ConfigError);
  CHECK_THROWS_AS(observe_image("/dev/null", ""), ConfigError);
  const std::string wrong = scratch::sentence_of([&] { observe_image(folder / "text", "qcow2"); });
  CHECK(has(wrong, "not in qcow2 format"));
  CHECK(has(wrong, "vmdk"));
  for (const std::string format :
       {"nbd", "http", "luks", "null-co", "blkdebug", "raw,file.driver=nbd", "RAW", "\x1b"})
    CHECK_THROWS_AS(observe_image(folder / "text", format), ConfigError);
  for (const std::string path : {"nbd:localhost:1", "json:{}", "http://localhost/x", "fat:/etc"})
    CHECK_THROWS_AS(observe_image(path, ""), ConfigError);
  CHECK_THROWS_AS(fill(folder / "text", "vdi", folder / "disk", DiskFormat::raw, {}), ConfigError);
}

TEST_CASE("an image that would bring in another file of the host is refused") {
  const scratch::Folder folder;
  scratch::put(folder / "secret", std::string(mebi, 's'));
  empty_file(folder / "disk", 2 * mebi);
  const auto refused = [&](const std::string& image, const std::string& format) {
    const std::string said =
        scratch::sentence_of([&] { fill(image, format, folder / "disk", DiskFormat::raw, {}); });
    CHECK_MESSAGE(has(said, "qemu-img convert"), said);
    CHECK_FALSE(has(scratch::get(folder / "disk"), "s"));
  };
  qemu_img(
      {"create", "-q", "-f", "qcow2", "-b", folder / "secret", "-F", "raw", folder / "backing"});
  // Before anything is made.
  CHECK(has(scratch::sentence_of([&] { observe_image(folder / "backing", ""); }), "backing file"));
  refused(folder / "backing", "");
  refused(folder / "backing", "qcow2");
  qemu_img({"create", "-q", "-f", "qcow2", "-u", "-b", "nbd://127.0.0.1:1/x", "-F", "raw",
            folder / "net", "1M"});
  refused(folder / "net", "");
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "data_file=" + (folder / "data"), folder / "split",
            "1M"});
  refused(folder / "split", "");
  std::filesystem::create_directory(folder / "far");
  const std::string head =
      "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n"
      "createType=\"monolithicFlat\"\n\nRW 2048 FLAT \"";
  scratch::put(folder / "far/a.vmdk", head + (folder / "secret") + "\" 0\n");
  refused(folder / "far/a.vmdk", "");
  scratch::put(folder / "far/b.vmdk", head + "../secret\" 0\n");
  refused(folder / "far/b.vmdk", "vmdk");
  std::filesystem::create_symlink(folder / "secret", folder / "far/link");
  scratch::put(folder / "far/c.vmdk", head + "link\" 0\n");
  refused(folder / "far/c.vmdk", "");
  // Its own parts beside it are fine.
  scratch::put(folder / "far/d-flat.vmdk", std::string(mebi, 'd'));
  scratch::put(folder / "far/d.vmdk", head + "d-flat.vmdk\" 0\n");
  fill(folder / "far/d.vmdk", "", folder / "disk", DiskFormat::raw, {});
  CHECK(scratch::get(folder / "disk").substr(0, mebi) == std::string(mebi, 'd'));
}

TEST_CASE("one that was cut short is refused, wherever it was cut") {
  const scratch::Folder folder;
  std::string dense(4 * mebi, '\0'), half = dense;
  std::ifstream("/dev/urandom", std::ios::binary)
      .read(dense.data(), static_cast<std::streamsize>(dense.size()));
  for (std::size_t i = 0; i < half.size(); ++i)
    half[i] = static_cast<char>('a' + (dense[i] & 7));  // which can be compressed
  const std::vector<std::vector<std::string>> all{{"vdi"},
                                                  {"vmdk"},
                                                  {"vmdk", "-o", "subformat=streamOptimized"},
                                                  {"qcow2"},
                                                  {"qcow2", "-c"},
                                                  {"qcow2", "-o", "cluster_size=2M"},
                                                  {"qcow2", "-o", "extended_l2=on"},
                                                  {"qcow2", "-o", "preallocation=metadata"},
                                                  {"vhdx"},
                                                  {"vpc"},
                                                  {"qed"},
                                                  {"parallels"}};
  const std::string image = folder / "image", cut = folder / "cut", disk = folder / "disk";
  const auto content_of = [&](const std::string& from, const std::string& format) {
    empty_file(disk, 8 * mebi);
    fill(from, format, disk, DiskFormat::raw, {});
    return scratch::get(disk).substr(0, dense.size());
  };
  for (const std::vector<std::string>& how : all) {
    const std::string name = how.front() + (how.size() > 1 ? how.back() : "");
    const std::string& content =
        how.back() == "-c" || how.back() == "subformat=streamOptimized" ? half : dense;
    scratch::put(folder / "plain", content);
    std::vector<std::string> words{"convert", "-f", "raw", "-O"};
    words.insert(words.end(), how.begin(), how.end());
    words.insert(words.end(), {folder / "plain", image});
    qemu_img(words);
    CHECK_MESSAGE(content_of(image, how.front()) == content, name);
    const Bytes size = std::filesystem::file_size(image);
    REQUIRE(size > 600'000);
    for (const Bytes left : {Bytes{500'000}, size / 2, size * 3 / 4, size - 70'000, size - 5000}) {
      std::filesystem::copy_file(image, cut, std::filesystem::copy_options::overwrite_existing);
      std::filesystem::resize_file(cut, left);
      const std::string said = scratch::sentence_of([&] { observe_image(cut, how.front()); });
      // What is cut off may have been of no use (the footer of a vpc); else it is missed.
      if (said.empty()) {
        INFO(name << " cut at " << left << " of " << size);
        CHECK(left > 500'000);
        CHECK(content_of(cut, how.front()) == content);
      } else {
        CHECK_MESSAGE(has(said, cut), said);
        CHECK(said.size() < 600);
        if (how.size() == 1 && how.front() == "qcow2" && left == 500'000)
          CHECK_MESSAGE(has(said, "check: ERROR"), said);
      }
    }
  }
  qemu_img({"convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicFlat",
            folder / "plain", folder / "flat.vmdk"});
  observe_image(folder / "flat.vmdk", "");
  std::filesystem::resize_file(folder / "flat-flat.vmdk", mebi);
  CHECK(has(scratch::sentence_of([&] { observe_image(folder / "flat.vmdk", ""); }), "cut short"));
  std::filesystem::resize_file(folder / "plain", 1'000'001);  // it has no length of its own
  CHECK(observe_image(folder / "plain", "raw").virtual_size == 1'000'448);
}

TEST_CASE("nothing is copied through a link, nor into a file with another name") {
  const scratch::Folder folder;
  const std::string before(mebi, 'x');
  scratch::put(folder / "precious", before);
  scratch::put(folder / "image", pattern(mebi));
  std::filesystem::create_symlink(folder / "precious", folder / "link");
  std::filesystem::create_hard_link(folder / "precious", folder / "second");
  for (const std::string name : {"link", "second"})
    CHECK_THROWS_AS(fill(folder / "image", "raw", folder / name, DiskFormat::raw, {}), Conflict);
  CHECK(scratch::get(folder / "precious") == before);
}

TEST_CASE("it stops when the one who watches throws, and a disk that is too small is told") {
  const scratch::Folder folder;
  scratch::put(folder / "image", pattern(32 * mebi));
  empty_file(folder / "disk", 32 * mebi);
  CHECK_THROWS_AS(fill(folder / "image", "raw", folder / "disk", DiskFormat::raw,
                       [](Bytes, Bytes) { throw Interrupted(); }),
                  Interrupted);
  empty_file(folder / "small", mebi);
  CHECK_THROWS_AS(fill(folder / "image", "raw", folder / "small", DiskFormat::raw, {}), Failed);
}
