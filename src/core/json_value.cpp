// Our JSON value itself: asking it for a type, finding members, changing it. Knows no library. An
// answer of the wrong type names the type that was expected, so that a damaged file or a strange
// QEMU gives a sentence.
#include <algorithm>

#include "nutshell/error.hpp"
#include "nutshell/json.hpp"

#include <utility>
#include "nutshell/values.hpp"

namespace nutshell {
namespace {

[[noreturn]] void not_a(const char* expected) {
  throw Failed(std::string("the JSON value is not ") + expected);
}

}  // namespace

bool Json::as_bool() const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  not_a("true or false");
}

std::int64_t Json::as_integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  not_a("a whole number of 64 bits");
}

double Json::as_double() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (is_integer()) return static_cast<double>(as_integer());
  not_a("a number");
}

const std::string& Json::as_string() const& {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  not_a("a text");
}

const Json::Array& Json::as_array() const& {
  if (const auto* value = std::get_if<Array>(&value_)) return *value;
  not_a("an array");
}

const Json::Object& Json::as_object() const& {
  if (const auto* value = std::get_if<Object>(&value_)) return *value;
  not_a("an object");
}

std::string Json::as_string() && { return std::as_const(*this).as_string(); }
Json::Array Json::as_array() && { return std::as_const(*this).as_array(); }
Json::Object Json::as_object() && { return std::as_const(*this).as_object(); }

const Json* Json::find(std::string_view name) const {
  const auto* members = std::get_if<Object>(&value_);
  if (!members) return nullptr;
  const auto found = std::find_if(members->begin(), members->end(),
                                  [&](const Member& member) { return member.first == name; });
  return found == members->end() ? nullptr : &found->second;
}

const Json& Json::at(std::string_view name) const {
  if (const Json* value = find(name)) return *value;
  throw Failed("the JSON value has no member \"" + printable(name) + "\"");
}

std::string Json::text(std::string_view name, std::string_view fallback) const {
  const Json* value = find(name);
  return value && value->is_string() ? value->as_string() : std::string(fallback);
}

std::int64_t Json::integer(std::string_view name, std::int64_t fallback) const {
  const Json* value = find(name);
  return value && value->is_integer() ? value->as_integer() : fallback;
}

bool Json::flag(std::string_view name, bool fallback) const {
  const Json* value = find(name);
  return value && value->is_bool() ? value->as_bool() : fallback;
}

Json& Json::set(std::string name, Json value) {
  if (is_null()) value_ = Object();
  auto* members = std::get_if<Object>(&value_);
  if (!members) not_a("an object");
  const auto found = std::find_if(members->begin(), members->end(),
                                  [&](const Member& member) { return member.first == name; });
  if (found == members->end()) {
    members->emplace_back(std::move(name), std::move(value));
  } else {
    found->second = std::move(value);
  }
  return *this;
}

Json& Json::append(std::string name, Json value) {
  if (is_null()) value_ = Object();
  auto* members = std::get_if<Object>(&value_);
  if (!members) not_a("an object");
  members->emplace_back(std::move(name), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array();
  auto* items = std::get_if<Array>(&value_);
  if (!items) not_a("an array");
  items->push_back(std::move(value));
  return *this;
}

}  // namespace nutshell
