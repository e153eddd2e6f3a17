// A netlink message being built, and the attributes of one that came in. Private to the library.
#pragma once

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "nl/error.hpp"
#include "nl/ip.hpp"

namespace nl {

/// Owns one nl_msg. Whatever does not fit any more throws EMSGSIZE; nothing is ever cut short.
class Message {
 public:
  Message(int type, int flags) : message_(::nlmsg_alloc_simple(type, flags)) {
    if (!message_) throw std::bad_alloc();
  }

  /// Appends a zeroed fixed header of type `T` and returns it, to be filled before anything else is
  /// put.
  template <class T>
  T& header() {
    void* place = ::nlmsg_reserve(message_.get(), sizeof(T), NLMSG_ALIGNTO);
    if (!place) too_long();
    std::memset(place, 0, sizeof(T));
    return *static_cast<T*>(place);
  }
  void bytes(int type, std::span<const std::uint8_t> data) {
    if (::nla_put(message_.get(), type, static_cast<int>(data.size()), data.data()) < 0) too_long();
  }
  template <class T>
  void value(int type, const T& data) {
    if (::nla_put(message_.get(), type, sizeof data, &data) < 0) too_long();
  }
  void u8(int type, std::uint8_t v) { value(type, v); }
  void u16(int type, std::uint16_t v) { value(type, v); }
  void u32(int type, std::uint32_t v) { value(type, v); }
  void text(int type, const std::string& v) {
    if (::nla_put_string(message_.get(), type, v.c_str()) < 0) too_long();
  }
  void ip(int type, const Ip& v) { bytes(type, {v.bytes.data(), v.size()}); }
  /// Puts what `fill` puts inside an attribute of its own.
  template <class Fill>
  void nest(int type, Fill fill) {
    nlattr* start = ::nla_nest_start(message_.get(), type);
    if (!start) too_long();
    fill();
    ::nla_nest_end(message_.get(), start);
  }

  nl_msg* get() { return message_.get(); }
  nlmsghdr* raw() { return ::nlmsg_hdr(message_.get()); }

 private:
  [[noreturn]] static void too_long() { throw Error("netlink message", "be built", EMSGSIZE); }
  struct Free {
    void operator()(nl_msg* m) const { ::nlmsg_free(m); }
  };
  std::unique_ptr<nl_msg, Free> message_;
};

/// The attributes of a message or of a nested attribute, by type. An absent or too short one reads
/// as the fallback.
class Attributes {
 public:
  Attributes(nlmsghdr* message, std::size_t header_size) {
    ::nlmsg_parse(message, static_cast<int>(header_size), at_.data(), highest, nullptr);
  }
  explicit Attributes(nlattr* nested) {
    if (nested) ::nla_parse_nested(at_.data(), highest, nested, nullptr);
  }
  /// Those in a stretch of bytes, as follow a nested fixed header.
  Attributes(void* first, int length) {
    if (length > 0) ::nla_parse(at_.data(), highest, static_cast<nlattr*>(first), length, nullptr);
  }

  bool has(int type) const { return at_[type] != nullptr; }
  nlattr* raw(int type) const { return at_[type]; }
  Attributes nested(int type) const { return Attributes(at_[type]); }

  std::span<const std::uint8_t> bytes(int type) const {
    if (!at_[type]) return {};
    return {static_cast<const std::uint8_t*>(::nla_data(at_[type])),
            static_cast<std::size_t>(::nla_len(at_[type]))};
  }
  template <class T>
  T value(int type, T fallback = {}) const {
    const auto data = bytes(type);
    if (data.size() >= sizeof(T)) std::memcpy(&fallback, data.data(), sizeof(T));
    return fallback;
  }
  std::uint8_t u8(int type, std::uint8_t fallback = 0) const { return value(type, fallback); }
  std::uint16_t u16(int type, std::uint16_t fallback = 0) const { return value(type, fallback); }
  std::uint32_t u32(int type, std::uint32_t fallback = 0) const { return value(type, fallback); }
  std::string text(int type) const {
    const auto data = bytes(type);
    const auto* start = reinterpret_cast<const char*>(data.data());
    return data.empty() ? std::string() : std::string(start, ::strnlen(start, data.size()));
  }
  Ip ip(int type) const {
    const auto data = bytes(type);
    Ip ip;
    if (data.size() != 4 && data.size() != 16) return ip;
    ip.family = data.size() == 4 ? Family::v4 : Family::v6;
    std::memcpy(ip.bytes.data(), data.data(), data.size());
    return ip;
  }

 private:
  static constexpr int highest = 95;  ///< beyond every attribute that this library reads
  std::array<nlattr*, highest + 1> at_{};
};

}  // namespace nl
