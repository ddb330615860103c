// Generated quantities at draws of an earlier fit.
#include "run.hpp"

#include <stan/services/sample/standalone_gqs.hpp>

namespace {

using A = Argument;

const A arguments{
    A::Group, "generate_quantities", "Generate quantities of interest", "",
    {{A::Text, "fitted_params", "Input file of sample of fitted parameter values for model "
      "conditioned on data. If multiple chains are run, this can either be a single path, in "
      "which case its name will have _ID appended, or a comma-separated list of names."},
     {A::Integer, "num_chains", "Number of chains", "1", {}, positive}}};

int run_generate(Run& run) {
  const A& c = run.command;
  const std::string& fitted = c.text("generate_quantities fitted_params");
  if (fitted.empty())
    throw std::invalid_argument("Missing fitted_params argument, cannot run generate_quantities "
                                "without fitted sample.");
  size_t chains = c.integer("generate_quantities num_chains");
  std::vector<Eigen::MatrixXd> draws;
  for (auto& path : run.files(fitted, chains)) draws.push_back(read_draws(path, run.model));
  auto writers = run.writers(c.text("output file"), chains);
  return stan::services::standalone_generate(run.model, chains, draws, run.seed, run.interrupt,
                                             run.logger, writers);
}

[[maybe_unused]] const bool provided = provide(arguments, run_generate);

}  // namespace
