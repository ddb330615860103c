// Generated quantities at draws of an earlier fit.
#include "run.hpp"

#include <stan/services/sample/standalone_gqs.hpp>

namespace {

Argument arguments() {
  return group("generate_quantities", "Generate quantities of interest", {
    text("fitted_params", "CSV of draws of the parameters; of several chains as init"),
    integer("num_chains", "Number of chains", "1", positive)});
}

int generate(Run& run) {
  const Argument& c = run.command;
  const std::string& fitted = c.text("generate_quantities fitted_params");
  if (fitted.empty())
    throw std::invalid_argument("Missing fitted_params argument, cannot run generate_quantities "
                                "without fitted sample.");
  size_t chains = c.integer("generate_quantities num_chains");
  std::vector<Eigen::MatrixXd> draws;
  for (auto& path : run.files(fitted, chains)) draws.push_back(read_draws(path, run.model));
  auto writers = run.writers(c.text("output file"), chains);
  int failed = 0;
  // One after the other: Stan's service for several writes columns that its header lacks.
  for (size_t i = 0; i < chains && !failed; ++i)
    failed = stan::services::standalone_generate(run.model, draws[i], run.seed, run.interrupt,
                                                 run.logger, writers[i]);
  return failed;
}

const Provided provided(arguments(), generate);

}  // namespace
