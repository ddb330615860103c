// The log density and its gradient at given parameters.
#include "run.hpp"

#include <stan/model/log_prob_grad.hpp>

namespace {

Argument arguments() {
  return group("log_prob", "Return the log density up to a constant and its gradients, given "
               "supplied parameters", {
    text("unconstrained_params", "JSON of `params_r`: unconstrained parameters, or rows of them"),
    text("constrained_params", "JSON of parameter values on constrained scale"),
    flag("jacobian", "Include change-of-variables adjustment for parameter transforms", true)});
}

// The points of `params_r`, a column each.
Eigen::MatrixXd read_unconstrained(const std::string& path, size_t size) {
  Context file = read(path);
  std::vector<double> values = file->vals_r("params_r");
  std::vector<size_t> dims = file->dims_r("params_r");
  if (dims.empty() || dims.size() > 2 || dims.back() != size)
    throw std::invalid_argument("Incorrect number of unconstrained parameters provided! Model has "
                                + std::to_string(size) + " parameters.");
  Eigen::Index points = dims.size() == 1 ? 1 : dims.front();
  return Eigen::Map<Eigen::MatrixXd>(values.data(), points, size).transpose();
}

Eigen::MatrixXd read_points(Run& run) {
  const std::string& constrained = run.command.text("log_prob constrained_params");
  const std::string& unconstrained = run.command.text("log_prob unconstrained_params");
  if (constrained.empty() && unconstrained.empty())
    throw std::invalid_argument("No input parameter files provided, cannot calculate log "
                                "probability density.");
  if (!constrained.empty() && !unconstrained.empty())
    throw std::invalid_argument("Cannot specify both input files of both constrained and "
                                "unconstrained parameter values.");
  if (constrained.empty()) return read_unconstrained(unconstrained, run.model.num_params_r());
  Eigen::VectorXd point;
  run.model.transform_inits(*read(constrained), point, &std::cout);
  return point;
}

int log_prob(Run& run) {
  using stan::model::log_prob_grad;
  Eigen::MatrixXd points = read_points(run);
  bool jacobian = run.command.flag("log_prob jacobian");
  std::vector<std::string> names, header{"lp__"};
  run.model.unconstrained_param_names(names, false, false);
  for (auto& name : names) header.push_back("g_" + name);
  Writer writer = run.writer();
  writer(header);
  for (Eigen::VectorXd point : points.colwise()) {
    std::vector<int> none;
    std::vector<double> at(point.begin(), point.end()), row;
    double density = jacobian ? log_prob_grad<true, true>(run.model, at, none, row, &std::cout)
                              : log_prob_grad<true, false>(run.model, at, none, row, &std::cout);
    row.insert(row.begin(), density);
    writer(row);
  }
  return 0;
}

const Provided provided(arguments(), log_prob);

}  // namespace
