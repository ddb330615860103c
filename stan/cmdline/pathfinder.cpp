// Pathfinder, along one path or several.
#include "run.hpp"

#include <stan/services/pathfinder/multi.hpp>
#include <stan/services/pathfinder/single.hpp>

#include "tolerances.hpp"

namespace {

Argument arguments() {
  Arguments all = tolerances(true);
  for (auto& own : Arguments{
    integer("num_psis_draws", "Number of draws from PSIS sample", "1000", positive),
    integer("num_paths", "Number of single pathfinders", "4", positive),
    flag("save_single_paths", "Output single-path pathfinder draws as CSV", false),
    flag("psis_resample", "Resample the draws of the paths; if false, return all", true),
    flag("calculate_lp", "Calculate the log density of all draws; needed to resample", true),
    integer("max_lbfgs_iters", "Maximum number of LBFGS iterations", "1000", positive),
    integer("num_draws", "Number of approximate posterior draws", "1000", positive),
    integer("num_elbo_draws", "Number of Monte Carlo draws to evaluate ELBO", "25", positive)})
    all.push_back(own);
  return group("pathfinder", "Pathfinder algorithm", all);
}

int pathfinder(Run& run) {
  using namespace stan::services::pathfinder;
  const Argument& c = run.command;
  Tolerances t(c, "pathfinder");
  int history = c.integer("pathfinder history_size"), paths = c.integer("pathfinder num_paths");
  int iterations = c.integer("pathfinder max_lbfgs_iters");
  int draws = c.integer("pathfinder num_draws"), elbo = c.integer("pathfinder num_elbo_draws");
  const std::string& output = c.text("output file");
  const std::string& diagnostics = c.text("output diagnostic_file");
  bool lp = c.flag("pathfinder calculate_lp");
  bool save = c.flag("pathfinder save_single_paths") || !diagnostics.empty();
  auto inits = run.contexts(run.init, paths);
  Writer writer = run.writer();
  if (paths == 1) {
    JsonWriter steps = run.json_writer(!diagnostics.empty() ? diagnostics : save ? output : "");
    return pathfinder_lbfgs_single(
        run.model, *inits[0], run.seed, run.id, run.radius, history, t.alpha, t.obj, t.rel_obj,
        t.grad, t.rel_grad, t.param, iterations, elbo, draws, save, run.refresh, run.interrupt,
        run.logger, run.nowhere, writer, steps, lp);
  }
  std::string single = save ? suffixed(output, "_path") : "";
  std::vector<stan::callbacks::writer> nowhere(paths);
  std::vector<Writer> writers = run.writers(single, paths);
  std::vector<JsonWriter> steps;
  std::string of_paths = diagnostics.empty() ? single : suffixed(diagnostics, "_path");
  for (auto& path : run.files(of_paths, paths)) steps.push_back(run.json_writer(path));
  JsonWriter unused;
  return pathfinder_lbfgs_multi(
      run.model, inits, run.seed, run.id, run.radius, history, t.alpha, t.obj, t.rel_obj, t.grad,
      t.rel_grad, t.param, iterations, elbo, draws, c.integer("pathfinder num_psis_draws"), paths,
      save, run.refresh, run.interrupt, run.logger, nowhere, writers, steps, writer, unused, lp,
      c.flag("pathfinder psis_resample"));
}

const Provided provided(arguments(), pathfinder);

}  // namespace
