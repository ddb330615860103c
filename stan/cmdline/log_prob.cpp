// The log density and its gradient at given parameters.
#include "run.hpp"

#include <stan/model/log_prob_grad.hpp>

namespace {

using A = Argument;

const A arguments{
    A::Group, "log_prob",
    "Return the log density up to a constant and its gradients, given supplied parameters", "",
    {{A::Text, "unconstrained_params", "Input file (JSON) of parameter values on unconstrained "
      "scale: `params_r`, a vector or an array of vectors"},
     {A::Text, "constrained_params", "Input file (JSON) of parameter values on constrained scale"},
     {A::Flag, "jacobian", "When true, include change-of-variables adjustment for constraining "
      "parameter transforms", "true"}}};

// The points of `params_r`, a column each.
Eigen::MatrixXd read_unconstrained(const std::string& path, size_t size) {
  Context file = read(path);
  std::vector<double> values = file->vals_r("params_r");
  std::vector<size_t> dims = file->dims_r("params_r");
  if (dims.empty() || dims.size() > 2 || dims.back() != size)
    throw std::invalid_argument("Incorrect number of unconstrained parameters provided! Model has "
                                + std::to_string(size) + " parameters but "
                                + std::to_string(dims.empty() ? 0 : dims.back()) + " were found.");
  Eigen::Index points = values.size() / size;
  return Eigen::Map<Eigen::MatrixXd>(values.data(), points, size).transpose();
}

int run_log_prob(Run& run) {
  const std::string& constrained = run.command.text("log_prob constrained_params");
  const std::string& unconstrained = run.command.text("log_prob unconstrained_params");
  if (constrained.empty() == unconstrained.empty())
    throw std::invalid_argument(
        constrained.empty()
            ? "No input parameter files provided, cannot calculate log probability density."
            : "Parameters must be given on one scale, not on both.");
  Eigen::MatrixXd points;
  if (constrained.empty()) {
    points = read_unconstrained(unconstrained, run.model.num_params_r());
  } else {
    Eigen::VectorXd point;
    run.model.transform_inits(*read(constrained), point, &std::cout);
    points = point;
  }
  auto out = run.create(run.command.text("output file"));
  std::vector<std::string> names;
  run.model.unconstrained_param_names(names, false, false);
  *out << "lp__";
  for (auto& name : names) *out << ",g_" << name;
  *out << '\n';
  bool jacobian = run.command.flag("log_prob jacobian");
  for (Eigen::VectorXd point : points.colwise()) {
    using stan::model::log_prob_grad;
    Eigen::VectorXd gradient;
    *out << (jacobian ? log_prob_grad<true, true>(run.model, point, gradient, &std::cout)
                      : log_prob_grad<true, false>(run.model, point, gradient, &std::cout));
    for (double slope : gradient) *out << ',' << slope;
    *out << '\n';
  }
  return 0;
}

[[maybe_unused]] const bool provided = provide(arguments, run_log_prob);

}  // namespace
