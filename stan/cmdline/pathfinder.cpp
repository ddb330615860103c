// Pathfinder, along one path or several.
#include "run.hpp"

#include <stan/services/pathfinder/multi.hpp>
#include <stan/services/pathfinder/single.hpp>

#include "tolerances.hpp"

namespace {

using A = Argument;

std::vector<A> parts() {
  std::vector<A> all = with_history(tolerances());
  std::vector<A> own{
      {A::Integer, "num_psis_draws", "Number of draws from PSIS sample", "1000", {}, positive},
      {A::Integer, "num_paths", "Number of single pathfinders", "4", {}, positive},
      {A::Flag, "save_single_paths", "Output single-path pathfinder draws as CSV", "false"},
      {A::Flag, "psis_resample", "If true, perform psis resampling on samples returned from "
       "individual pathfinders. If false, returns num_paths * num_draws samples", "true"},
      {A::Flag, "calculate_lp", "If true, calculate the log probability of every draw; if false, "
       "there is no psis resampling either", "true"},
      {A::Integer, "max_lbfgs_iters", "Maximum number of LBFGS iterations", "1000", {}, positive},
      {A::Integer, "num_draws", "Number of approximate posterior draws", "1000", {}, positive},
      {A::Integer, "num_elbo_draws", "Number of Monte Carlo draws to evaluate ELBO", "25", {},
       positive}};
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

const A arguments{A::Group, "pathfinder", "Pathfinder algorithm", "", parts()};

int run_pathfinder(Run& run) {
  const A& c = run.command;
  Tolerances t(c, "pathfinder");
  int history = c.integer("pathfinder history_size"), paths = c.integer("pathfinder num_paths");
  int iterations = c.integer("pathfinder max_lbfgs_iters");
  int draws = c.integer("pathfinder num_draws"), elbo = c.integer("pathfinder num_elbo_draws");
  bool lp = c.flag("pathfinder calculate_lp"), save = c.flag("pathfinder save_single_paths");
  const std::string& output = c.text("output file");
  auto inits = run.contexts(run.init, paths);
  Writer writer = run.writer();
  auto json = [&](const std::string& path) {
    return JsonWriter(save ? run.create(path.substr(0, path.rfind('.')) + ".json") : nullptr);
  };
  if (paths == 1) {
    JsonWriter diagnostics = json(output);
    return stan::services::pathfinder::pathfinder_lbfgs_single(
        run.model, *inits[0], run.seed, run.id, run.radius, history, t.alpha, t.obj, t.rel_obj,
        t.grad, t.rel_grad, t.param, iterations, elbo, draws, save, run.refresh, run.interrupt,
        run.logger, run.nowhere, writer, diagnostics, lp);
  }
  std::string singly = suffixed(output, "_path");
  std::vector<stan::callbacks::writer> nowhere(paths);
  std::vector<Writer> path_writers = run.writers(save ? singly : "", paths);
  std::vector<JsonWriter> path_diagnostics;
  for (auto& path : run.files(singly, paths)) path_diagnostics.push_back(json(path));
  JsonWriter diagnostics = json("");
  return stan::services::pathfinder::pathfinder_lbfgs_multi(
      run.model, inits, run.seed, run.id, run.radius, history, t.alpha, t.obj, t.rel_obj, t.grad,
      t.rel_grad, t.param, iterations, elbo, draws, c.integer("pathfinder num_psis_draws"), paths,
      save, run.refresh, run.interrupt, run.logger, nowhere, path_writers, path_diagnostics,
      writer, diagnostics, lp, c.flag("pathfinder psis_resample"));
}

[[maybe_unused]] const bool provided = provide(arguments, run_pathfinder);

}  // namespace
