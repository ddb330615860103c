// Modes: L-BFGS, BFGS, Newton.
#include "run.hpp"

#include <stan/services/optimize/bfgs.hpp>
#include <stan/services/optimize/lbfgs.hpp>
#include <stan/services/optimize/newton.hpp>

#include "tolerances.hpp"

namespace {

using A = Argument;

const A arguments{
    A::Group, "optimize", "Point estimation", "",
    {{A::Choice, "algorithm", "Optimization algorithm", "lbfgs",
      {{A::Group, "bfgs", "BFGS with linesearch", "", tolerances()},
       {A::Group, "lbfgs", "LBFGS with linesearch", "", with_history(tolerances())},
       {A::Group, "newton", "Newton's method"}}},
     {A::Flag, "jacobian", "When true, include change-of-variables adjustment for constraining "
      "parameter transforms", "false"},
     {A::Integer, "iter", "Total number of iterations", "2000", {}, positive},
     {A::Flag, "save_iterations", "Stream optimization progress to output?", "false"}}};

template <bool jacobian>
int optimize(Run& run) {
  using stan::model::model_base;
  using namespace stan::services::optimize;
  const A& c = run.command;
  int iterations = c.integer("optimize iter");
  bool save = c.flag("optimize save_iterations");
  Context init = read(run.init);
  Writer writer = run.writer();
  const std::string& algorithm = c.text("optimize algorithm");
  if (algorithm == "newton")
    return newton<model_base, jacobian>(run.model, *init, run.seed, run.id, run.radius, iterations,
                                        save, run.interrupt, run.logger, run.nowhere, writer);
  Tolerances t(c, "optimize " + algorithm);
  if (algorithm == "bfgs")
    return bfgs<model_base, jacobian>(run.model, *init, run.seed, run.id, run.radius, t.alpha,
                                      t.obj, t.rel_obj, t.grad, t.rel_grad, t.param, iterations,
                                      save, run.refresh, run.interrupt, run.logger, run.nowhere,
                                      writer);
  return lbfgs<model_base, jacobian>(run.model, *init, run.seed, run.id, run.radius,
                                     c.integer("optimize lbfgs history_size"), t.alpha, t.obj,
                                     t.rel_obj, t.grad, t.rel_grad, t.param, iterations, save,
                                     run.refresh, run.interrupt, run.logger, run.nowhere, writer);
}

int run_optimize(Run& run) {
  return run.command.flag("optimize jacobian") ? optimize<true>(run) : optimize<false>(run);
}

[[maybe_unused]] const bool provided = provide(arguments, run_optimize);

}  // namespace
