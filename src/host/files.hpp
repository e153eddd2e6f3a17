// Files and folders of ours: each verb has one effect, made exclusively or by rename, and refuses
// to follow a link that somebody else laid.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nutshell/spec.hpp"
#include "nutshell/values.hpp"

namespace nutshell::host {

/// Looks, without writing, whether a volume of that size can be made in the folder of `path` (or in
/// the nearest one above that exists). Throws ConfigError when the file system can never hold it,
/// or a file of this process may not be that large. A sentence when it is more than is free now.
std::optional<std::string> check_volume(const std::string& path, Bytes size);
/// Makes a volume file, 0600, exclusively: raw and sparse, or qcow2 by qemu-img over `backing[0]`.
/// Throws Conflict when `path` is taken, and what check_volume throws; a failure leaves nothing.
/// Gives check_volume's warning.
std::optional<std::string> make_volume(const std::string& path, Bytes size, DiskFormat format,
                                       const std::vector<BackingLayer>& backing);
/// Unlinks a volume file; gone already is done. Throws Conflict when it is no plain file, or
/// somebody uses it (disk_holder).
void drop_volume(const std::string& path);

/// mkdir, 0700. Throws Conflict when `path` is taken.
void make_directory(const std::string& path);
/// Makes `path` and what is missing above it, each 0700; there already is done.
void make_directories(const std::string& path);
/// Removes a folder of ours with the files in it that we are known to put there (locks, spec,
/// sockets, logs); gone already is done. Throws Conflict, before it has removed anything, when
/// there is something else in it, or `path` is a link.
void drop_directory(const std::string& path);
/// Copies a plain file to a new one, 0600. Throws Conflict when `to` is taken.
void copy_file(const std::string& from, const std::string& to);
/// Replaces the content of `path` at once (temporary file, fsync, rename); a reader sees the old or
/// the new. The folder must exist.
void write_file(const std::string& path, std::string_view text, unsigned mode = 0600);
/// The same for a file that is somebody else's: behind a symbolic link what that leads to is
/// replaced, with the mode and the owner that it has; a new one is 0644.
void rewrite_file(const std::string& path, std::string_view text);
/// The names in a folder, sorted; none where there is no such folder or it cannot be read.
std::vector<std::string> names_in(const std::string& folder);
/// The content of a file up to `limit` bytes; nullopt when there is none. Throws SystemError, or
/// Failed when it is larger.
std::optional<std::string> read_file(const std::string& path, Bytes limit = mebi);
/// Makes a file that was not there, 0600, with that content (a secret, say). Throws Conflict when
/// `path` is taken.
void make_file(const std::string& path, std::string_view text);
/// True when there is something at `path`, a link that leads nowhere included.
bool file_exists(const std::string& path);
/// Unlinks a plain file or a socket; gone already is done. Throws Conflict for anything else.
void drop_file(const std::string& path);

/// What a disk's path is.
struct ImageFacts {
  bool block_device = false;
  Bytes size = 0;      ///< what the guest sees: of a device or raw file its length, of a qcow2 its
                       ///< virtual size
  bool qcow2 = false;  ///< it begins as a qcow2 does, whatever it is said to be
  std::vector<BackingLayer> backing;  ///< the chain below it, nearest first (qcow2)
};
/// Looks at an image read only, by its header, without any program. `format` is what the user or
/// the spec names. Throws NotFound, ConfigError (a folder, no such format, a chain that names no
/// format, loops, or reaches over the network), SystemError.
ImageFacts look_at_image(const std::string& path, DiskFormat format);

}  // namespace nutshell::host
