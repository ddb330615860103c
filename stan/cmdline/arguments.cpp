#include "arguments.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ostream>
#include <sstream>

using std::string;

namespace {

const char* const types[] = {"", "<list element>", "<boolean>", "<int>", "<double>", "<string>"};

template <typename Parts>
auto* find(Parts& parts, const string& name) {
  auto found = std::find_if(parts.begin(), parts.end(), [&](auto& p) { return p.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

string names(const Arguments& parts) {
  string joined;
  for (auto& part : parts) joined += (joined.empty() ? "" : ", ") + part.name;
  return joined;
}

// Which values an argument takes, in words.
string valid(const Argument& a) {
  if (a.kind == Argument::Choice) return names(a.parts);
  if (a.kind == Argument::Flag) return "[0, 1, false, true]";
  if (a.kind == Argument::Text) return "All";
  std::ostringstream out;
  out.precision(10);
  out << a.range.least << (a.range.open ? " < " : " <= ") << a.name;
  if (std::isfinite(a.range.most)) out << (a.range.below ? " < " : " <= ") << a.range.most;
  return out.str();
}

bool accepts(const Argument& a, const string& value) {
  if (a.kind == Argument::Choice) return find(a.parts, value);
  if (a.kind == Argument::Flag) return value == "true" || value == "false";
  if (a.kind == Argument::Text) return true;
  if (a.kind == Argument::Integer && value.find_first_not_of("+-0123456789") != string::npos)
    return false;
  char* end;
  double number = std::strtod(value.c_str(), &end);
  return !value.empty() && *end == '\0' && std::isfinite(number)
         && (a.range.open ? number > a.range.least : number >= a.range.least)
         && (a.range.below ? number < a.range.most : number <= a.range.most);
}

void set(Argument& a, string value) {
  if (a.kind == Argument::Flag && value == "1") value = "true";
  if (a.kind == Argument::Flag && value == "0") value = "false";
  if (!accepts(a, value))
    throw Misuse(value + " is not a valid value for \"" + a.name + "\"\n  Valid values: "
                 + valid(a));
  a.value = value;
}

// Every way to an argument of that name, one a line.
string ways(const Argument& from, const string& name, const string& way = " ") {
  string found;
  for (auto& part : from.parts) {
    string here = way + " " + part.name;
    if (part.name == name)
      found += "\n" + here + (part.kind == Argument::Group ? "" : "=") + types[part.kind];
    if (part.kind == Argument::Group) found += ways(part, name, here);
    for (auto& value : part.parts)
      if (part.kind == Argument::Choice) found += ways(value, name, here + "=" + value.name);
  }
  return found;
}

}  // namespace

const Argument& Argument::at(const string& path) const {
  auto end = path.find(' ');
  string first = path.substr(0, end);
  const Argument* found = find(parts, first);
  for (auto& part : parts)
    if (!found && part.kind == Choice) found = find(part.parts, first);
  if (!found) throw std::logic_error("There is no argument " + path);
  return end == string::npos ? *found : found->at(path.substr(end + 1));
}

const Argument* parse(Argument& root, const std::vector<string>& words) {
  std::vector<Argument*> open{&root};
  Argument& method = root.parts.front();
  bool chosen = false;
  for (string word : words) {
    if (word == "help" || word == "help-all") return open.back();
    if (find(method.parts, word) && !chosen) word = method.name + "=" + word;
    auto equal = word.find('=');
    string name = word.substr(0, equal);
    // An argument belongs to the innermost group that has one of its name.
    Argument* found = nullptr;
    while (!open.empty() && !(found = find(open.back()->parts, name))) open.pop_back();
    if (!found || (found == &method && chosen)) {
      string known = ways(root, name);
      if (!known.empty())
        known = "\nPerhaps you meant one of the following valid configurations?" + known;
      throw Misuse(word + " is either mistyped or misplaced." + known);
    }
    chosen |= found == &method;
    if (found->kind == Argument::Group) {
      open.push_back(found);
    } else {
      if (equal == string::npos) throw Misuse(name + " needs a value: " + name + "=...");
      set(*found, word.substr(equal + 1));
      if (found->kind == Argument::Choice) open.push_back(find(found->parts, found->value));
    }
  }
  if (!chosen) throw Misuse("A method must be specified!");
  return nullptr;
}

void print(const Argument& group, std::ostream& out, const string& prefix) {
  for (auto& part : group.parts) {
    out << prefix << part.name;
    if (part.kind != Argument::Group)
      out << " = " << part.value << (part.value == part.fallback ? " (Default)" : "");
    out << '\n';
    if (part.kind == Argument::Group) print(part, out, prefix + "  ");
    const Argument* value = part.kind == Argument::Choice ? find(part.parts, part.value) : nullptr;
    if (value && !value->parts.empty()) {
      out << prefix << "  " << value->name << '\n';
      print(*value, out, prefix + "    ");
    }
  }
}

void describe(const Argument& a, std::ostream& out, bool all, int depth) {
  string indent(2 * depth, ' ');
  if (!a.name.empty()) {
    out << indent << a.name << (a.kind == Argument::Group ? "" : "=") << types[a.kind] << '\n'
        << indent << "  " << a.about << '\n';
    if (a.kind != Argument::Group)
      out << indent << "  Valid values: " << valid(a) << '\n'
          << indent << "  Defaults to " << a.fallback << '\n';
    else if (!a.parts.empty())
      out << indent << "  Valid subarguments: " << names(a.parts) << '\n';
    out << '\n';
  }
  for (auto& part : a.parts)
    if (all) describe(part, out, all, depth + 1);
}
