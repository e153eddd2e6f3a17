// A JSON value of our own, so that one .cpp knows the JSON library and no header does. Objects keep
// their order.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace nutshell {

/// One JSON value. Integers are 64-bit signed; sizes in bytes fit.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(unsigned value) : value_(std::int64_t{value}) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::uint64_t value) : value_(static_cast<std::int64_t>(value)) {}
  Json(double value) : value_(value) {}
  Json(const char* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(Array items) : value_(std::move(items)) {}
  Json(Object members) : value_(std::move(members)) {}

  /// An object from {"name", value} pairs, in that order.
  static Json object(std::initializer_list<Member> members = {}) { return Json(Object(members)); }
  /// An array from values.
  static Json array(std::initializer_list<Json> items = {}) { return Json(Array(items)); }

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(value_); }
  [[nodiscard]] bool is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
  [[nodiscard]] bool is_number() const {
    return is_integer() || std::holds_alternative<double>(value_);
  }
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(value_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(value_); }

  /// The value as asked; throws Failed naming the expected type when it is another.
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] double as_double() const;
  [[nodiscard]] const std::string& as_string() const&;
  [[nodiscard]] const Array& as_array() const&;
  [[nodiscard]] const Object& as_object() const&;
  /// Of a temporary, by value: a reference would not outlive `for (... : f().as_array())`.
  [[nodiscard]] std::string as_string() &&;
  [[nodiscard]] Array as_array() &&;
  [[nodiscard]] Object as_object() &&;

  /// The member of that name, or nullptr (also when this is no object).
  [[nodiscard]] const Json* find(std::string_view name) const;
  /// The member of that name; throws Failed naming it when there is none.
  [[nodiscard]] const Json& at(std::string_view name) const;
  /// Text, integer or bool of a member, or the fallback when it is missing, null or of another
  /// type.
  [[nodiscard]] std::string text(std::string_view name, std::string_view fallback = "") const;
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t fallback = 0) const;
  [[nodiscard]] bool flag(std::string_view name, bool fallback = false) const;
  /// Sets a member (appended, or replaced in place); a null value becomes an object first.
  Json& set(std::string name, Json value);
  /// Adds a member at the end without looking for one of that name: for building large objects
  /// whose names are known to be distinct.
  Json& append(std::string name, Json value);
  /// Appends to an array; a null value becomes an array first.
  Json& push(Json value);

  /// One line without spaces; or indented by two spaces when `pretty`. Invalid UTF-8 is replaced,
  /// never thrown.
  [[nodiscard]] std::string dump(bool pretty = false) const;
  /// Parses one whole JSON text; throws Failed with the position when it is none.
  static Json parse(std::string_view text);
  /// The same, but nullopt when it is none.
  static std::optional<Json> try_parse(std::string_view text);

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

}  // namespace nutshell
