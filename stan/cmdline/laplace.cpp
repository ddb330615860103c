// Draws from a normal approximation at a mode.
#include "run.hpp"

#include <stan/services/optimize/laplace_sample.hpp>

namespace {

Argument arguments() {
  return group("laplace", "Sample from a Laplace approximation", {
    text("mode", "JSON or CSV of a mode on the constrained scale"),
    flag("jacobian", "Include change-of-variables adjustment for parameter transforms", true),
    integer("draws", "Number of draws from the laplace approximation", "1000", positive),
    flag("calculate_lp", "Calculate the log probability of the model at each draw", true)});
}

// The mode on the unconstrained scale; of a CSV, its last row.
Eigen::VectorXd read_mode(const std::string& path, const stan::model::model_base& model) {
  Eigen::VectorXd mode;
  if (path.size() < 4 || path.compare(path.size() - 4, 4, ".csv") != 0) {
    model.transform_inits(*read(path), mode, &std::cout);
    return mode;
  }
  Eigen::MatrixXd rows = read_draws(path, model);
  if (rows.rows() == 0) throw std::invalid_argument("There is no mode in \"" + path + "\"");
  model.unconstrain_array(Eigen::VectorXd(rows.bottomRows(1).transpose()), mode, &std::cout);
  return mode;
}

template <bool jacobian>
int approximate(Run& run) {
  const Argument& c = run.command;
  const std::string& path = c.text("laplace mode");
  if (path.empty())
    throw std::invalid_argument("Missing mode argument, cannot get laplace sample without "
                                "parameter estimates theta-hat");
  Eigen::VectorXd mode = read_mode(path, run.model);
  Writer writer = run.writer();
  JsonWriter hessian = run.json_writer(c.text("output diagnostic_file"));
  return stan::services::laplace_sample<jacobian>(
      run.model, mode, c.integer("laplace draws"), c.flag("laplace calculate_lp"), run.seed,
      run.refresh, run.interrupt, run.logger, writer, hessian);
}

int laplace(Run& run) {
  return run.command.flag("laplace jacobian") ? approximate<true>(run) : approximate<false>(run);
}

const Provided provided(arguments(), laplace);

}  // namespace
