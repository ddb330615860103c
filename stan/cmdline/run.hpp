// What a method is given: the command, the model, where to read from and where to write to.
#pragma once

#include <stan/model/model_header.hpp>

#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/json_writer.hpp>
#include <stan/callbacks/stream_logger.hpp>
#include <stan/callbacks/unique_stream_writer.hpp>

#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "arguments.hpp"

using Context = std::shared_ptr<stan::io::var_context>;
using Writer = stan::callbacks::unique_stream_writer<std::ofstream>;
using JsonWriter = stan::callbacks::json_writer<std::ofstream>;

// A file that is written, and that tells when it is closed whether all of it could be.
struct File : std::ofstream {
  std::string path;
  static inline std::string incomplete;  // one that could not

  explicit File(const std::string& path) : std::ofstream(path), path(path) {}
  ~File() override;
};

struct Run {
  const Argument& command;
  stan::model::model_base& model;
  unsigned int seed;
  unsigned int id;
  int refresh;
  double radius;     // of random initial values
  std::string init;  // the file of given ones, or empty
  stan::callbacks::interrupt interrupt;
  stan::callbacks::stream_logger logger{std::cout, std::cout, std::cout, std::cerr, std::cerr};
  stan::callbacks::writer nowhere;

  Run(const Argument& command, stan::model::model_base& model, unsigned int seed);

  // Files, one a chain: listed with commas, or named by one name to which the ids are added.
  std::vector<std::string> files(const std::string& names, size_t chains) const;

  // Variables for so many chains, from files or, if they are not there, from the one of that name.
  std::vector<Context> contexts(const std::string& names, size_t chains) const;

  // Results of so many chains, with the command on top; an empty name stands for nowhere.
  std::vector<Writer> writers(const std::string& names, size_t chains) const;
  Writer writer() const { return std::move(writers(command.text("output file"), 1).front()); }

  // The same for JSON; the name's extension is replaced.
  JsonWriter json_writer(const std::string& name) const;

  std::unique_ptr<std::ofstream> create(const std::string& path) const;
};

std::ifstream open(const std::string& path);

// Variables of a JSON file; none for an empty path.
Context read(const std::string& path);

// The parameters in a CSV that CmdStan has written, a row per draw.
Eigen::MatrixXd read_draws(const std::string& path, const stan::model::model_base& model);

// A path with something before its extension, which may be another: `a.csv`, `_1` give `a_1.csv`.
std::string suffixed(const std::string& path, const std::string& suffix,
                     const std::string& extension = "");

// A way to run a model. The files linked into the program provide theirs when it starts.
struct Method {
  Argument arguments;
  int (*run)(Run&);
};

std::vector<Method>& methods();

struct Provided {
  Provided(const Argument& arguments, int (*run)(Run&)) { methods().push_back({arguments, run}); }
};
