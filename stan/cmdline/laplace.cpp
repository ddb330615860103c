// Draws from a normal approximation at a mode.
#include "run.hpp"

#include <stan/services/optimize/laplace_sample.hpp>

namespace {

using A = Argument;

const A arguments{
    A::Group, "laplace", "Sample from a Laplace approximation", "",
    {{A::Text, "mode", "A specification of a mode on the constrained scale for all model "
      "parameters, either in JSON or CSV format."},
     {A::Flag, "jacobian", "When true, include change-of-variables adjustment for constraining "
      "parameter transforms.", "true"},
     {A::Integer, "draws", "Number of draws from the laplace approximation", "1000", {}, positive},
     {A::Flag, "calculate_lp", "If true, calculate the log probability of the model at each draw.",
      "true"}}};

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

int run_laplace(Run& run) {
  const A& c = run.command;
  const std::string& path = c.text("laplace mode");
  if (path.empty())
    throw std::invalid_argument("Missing mode argument, cannot get laplace sample without "
                                "parameter estimates theta-hat");
  Eigen::VectorXd mode = read_mode(path, run.model);
  Writer writer = run.writer();
  const std::string& diagnostics = c.text("output diagnostic_file");
  JsonWriter hessian(diagnostics.empty() ? nullptr : run.create(diagnostics));
  auto sample = [&](auto jacobian) {
    return stan::services::laplace_sample<jacobian.value>(
        run.model, mode, c.integer("laplace draws"), c.flag("laplace calculate_lp"), run.seed,
        run.refresh, run.interrupt, run.logger, writer, hessian);
  };
  return c.flag("laplace jacobian") ? sample(std::true_type()) : sample(std::false_type());
}

[[maybe_unused]] const bool provided = provide(arguments, run_laplace);

}  // namespace
