#include "run.hpp"

#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/version.hpp>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iomanip>

using std::string;

namespace {

std::vector<string> opened;  // every file that is read

}  // namespace

Run::Run(const Argument& command, stan::model::model_base& model, unsigned int seed)
    : command(command),
      model(model),
      seed(seed),
      id(command.integer("id")),
      refresh(command.integer("output refresh")),
      radius(2),
      init(command.text("init")) {
  char* end;
  double number = std::strtod(init.c_str(), &end);
  if (init.empty() || *end != '\0') return;
  if (!std::isfinite(number) || number < 0) throw Misuse("init must be a file, or a number that is not negative.");
  radius = number;
  init.clear();
}

std::vector<string> Run::files(const string& names, size_t chains) const {
  std::vector<string> paths(chains, names);
  if (chains == 1 || names.empty()) return paths;
  if (names.find(',') == string::npos) {
    for (size_t i = 0; i < chains; ++i) paths[i] = suffixed(names, "_" + std::to_string(id + i));
    return paths;
  }
  paths.clear();
  std::istringstream listed(names);
  for (string path; std::getline(listed, path, ',');) paths.push_back(path);
  if (paths.size() != chains) throw Misuse("Not as many files as chains: " + names);
  return paths;
}

std::vector<Context> Run::contexts(const string& names, size_t chains) const {
  std::vector<string> paths = files(names, chains);
  if (!std::ifstream(paths.front())) paths.assign(chains, names);
  std::vector<Context> found;
  for (auto& path : paths) found.push_back(read(path));
  return found;
}

std::vector<Writer> Run::writers(const string& names, size_t chains) const {
  std::vector<Writer> made;
  for (auto& path : files(names, chains)) {
    bool bare = std::filesystem::path(path).extension().empty()
                && !std::filesystem::is_character_file(path);
    auto out = path.empty() ? nullptr : create(bare ? path + ".csv" : path);
    if (out) {
      std::time_t now = std::time(nullptr);
      *out << "# stan_version_major = " << stan::MAJOR_VERSION
           << "\n# stan_version_minor = " << stan::MINOR_VERSION
           << "\n# stan_version_patch = " << stan::PATCH_VERSION
           << "\n# model = " << model.model_name()
           << "\n# start_datetime = " << std::put_time(std::gmtime(&now), "%F %T UTC") << '\n';
      print(command, *out, "# ");
      for (auto& line : model.model_compile_info()) *out << "# " << line << '\n';
    }
    made.emplace_back(std::move(out), "# ");
  }
  return made;
}

JsonWriter Run::json_writer(const string& name) const {
  return JsonWriter(name.empty() ? nullptr : create(suffixed(name, "", ".json")));
}

std::unique_ptr<std::ofstream> Run::create(const string& path) const {
  std::error_code none;
  for (auto& other : opened)
    if (std::filesystem::equivalent(path, other, none))
      throw std::invalid_argument("Filename conflict, \"" + path
                                  + "\" is read already; the output needs another name.");
  auto out = std::make_unique<File>(path);
  if (!*out)
    throw std::invalid_argument("Cannot write to \"" + path + "\": " + std::strerror(errno));
  int digits = command.integer("output sig_figs");
  if (digits >= 0) out->precision(digits);
  return out;
}

File::~File() {
  close();
  if (fail()) incomplete = path;
}

std::ifstream open(const string& path) {
  std::ifstream in(path);
  if (!in) throw std::invalid_argument("Cannot open specified file, \"" + path + "\"");
  opened.push_back(path);
  return in;
}

Context read(const string& path) {
  if (path.empty()) return std::make_shared<stan::io::empty_var_context>();
  if (path.size() < 5 || path.compare(path.size() - 5, 5, ".json") != 0)
    throw std::invalid_argument("User specified files must end in .json. Found: " + path);
  std::ifstream in = open(path);
  return std::make_shared<stan::json::json_data>(in);
}

Eigen::MatrixXd read_draws(const string& path, const stan::model::model_base& model) {
  std::vector<string> names;
  model.constrained_param_names(names, false, false);
  std::ifstream in = open(path);
  string line, name;
  while (std::getline(in, line) && line[0] == '#') {
  }
  // Columns of the method itself stand first; their names end in underscores.
  std::istringstream header(line);
  size_t before = 0, matching = 0;
  while (matching < names.size() && std::getline(header, name, ',')) {
    if (name == names[matching])
      ++matching;
    else if (matching == 0 && name.size() > 2 && name.compare(name.size() - 2, 2, "__") == 0)
      ++before;
    else
      break;
  }
  if (matching < names.size())
    throw std::invalid_argument("Mismatch between model and fitted_parameters csv file \"" + path
                                + "\"");
  std::vector<double> values;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    char* next = line.data();
    for (size_t i = 0; i < before + names.size(); ++i) {
      char* start = next;
      double value = std::strtod(start, &next);
      if (next == start) throw std::invalid_argument("Not a draw, in \"" + path + "\": " + line);
      if (*next == ',') ++next;
      if (i >= before) values.push_back(value);
    }
  }
  using Rows = Eigen::Matrix<double, -1, -1, Eigen::RowMajor>;
  Eigen::Index rows = names.empty() ? 0 : values.size() / names.size();
  return Eigen::Map<Rows>(values.data(), rows, names.size());
}

string suffixed(const string& path, const string& suffix, const string& extension) {
  auto dot = path.rfind('.');
  if (dot == string::npos || path.find('/', dot) != string::npos) dot = path.size();
  return path.substr(0, dot) + suffix + (extension.empty() ? path.substr(dot) : extension);
}

std::vector<Method>& methods() {
  static std::vector<Method> all;
  return all;
}
