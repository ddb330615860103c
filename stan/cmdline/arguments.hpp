// The command line as a tree: a group holds arguments, a choice opens the group of its value.
#pragma once

#include <cmath>
#include <cstdlib>
#include <iosfwd>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

struct Range {
  double least;
  bool open = false;  // whether `least` itself is out
  double most = std::numeric_limits<double>::infinity();
  bool below = false;  // whether `most` itself is out
};

constexpr Range positive{0, true};
constexpr Range natural{0};

struct Argument {
  enum Kind { Group, Choice, Flag, Integer, Real, Text };

  Kind kind;
  std::string name, about, fallback, value;
  std::vector<Argument> parts;  // arguments of a group; values of a choice, groups themselves
  Range range;

  // What a path of names (`sample adapt delta`) leads to; names of choices are left out.
  const Argument& at(const std::string& path) const;
  Argument& at(const std::string& path) {
    return const_cast<Argument&>(std::as_const(*this).at(path));
  }

  const std::string& text(const std::string& path) const { return at(path).value; }
  bool flag(const std::string& path) const { return text(path) == "true"; }
  double real(const std::string& path) const { return std::strtod(text(path).c_str(), nullptr); }
  long long integer(const std::string& path) const { return std::stoll(text(path)); }
};

using Arguments = std::vector<Argument>;
using Words = const std::string&;

inline Argument group(Words name, Words about, const Arguments& parts = {}) {
  return {Argument::Group, name, about, "", "", parts, {}};
}
inline Argument choice(Words name, Words about, Words fallback, const Arguments& values) {
  return {Argument::Choice, name, about, fallback, fallback, values, {}};
}
inline Argument flag(Words name, Words about, bool fallback) {
  const char* value = fallback ? "true" : "false";
  return {Argument::Flag, name, about, value, value, {}, {}};
}
inline Argument integer(Words name, Words about, Words fallback, Range range) {
  if (std::isinf(range.most)) range.most = std::numeric_limits<int>::max();
  return {Argument::Integer, name, about, fallback, fallback, {}, range};
}
inline Argument real(Words name, Words about, Words fallback, Range range) {
  return {Argument::Real, name, about, fallback, fallback, {}, range};
}
inline Argument text(Words name, Words about, Words fallback = "") {
  return {Argument::Text, name, about, fallback, fallback, {}, {}};
}

// A command that cannot be run as it stands.
struct Misuse : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// Set the arguments of `root` as the words say. The group that help is asked for, or null.
const Argument* parse(Argument& root, const std::vector<std::string>& words);

// Every argument and its value, one a line, each behind `prefix`.
void print(const Argument& group, std::ostream& out, const std::string& prefix);

// What an argument is for and may be; with `all`, also what is in it.
void describe(const Argument& argument, std::ostream& out, bool all, int depth = 0);
