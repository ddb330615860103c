// Modes: L-BFGS, BFGS, Newton.
#include "run.hpp"

#include <stan/services/optimize/bfgs.hpp>
#include <stan/services/optimize/lbfgs.hpp>
#include <stan/services/optimize/newton.hpp>

#include "tolerances.hpp"

namespace {

Argument arguments() {
  return group("optimize", "Point estimation", {
    choice("algorithm", "Optimization algorithm", "lbfgs", {
      group("bfgs", "BFGS with linesearch", tolerances(false)),
      group("lbfgs", "LBFGS with linesearch", tolerances(true)),
      group("newton", "Newton's method")}),
    flag("jacobian", "Include change-of-variables adjustment for parameter transforms", false),
    integer("iter", "Total number of iterations", "2000", positive),
    flag("save_iterations", "Stream optimization progress to output?", false)});
}

template <bool jacobian>
int search(Run& run) {
  using stan::model::model_base;
  using namespace stan::services::optimize;
  const Argument& c = run.command;
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
    return bfgs<model_base, jacobian>(
        run.model, *init, run.seed, run.id, run.radius, t.alpha, t.obj, t.rel_obj, t.grad,
        t.rel_grad, t.param, iterations, save, run.refresh, run.interrupt, run.logger, run.nowhere,
        writer);
  return lbfgs<model_base, jacobian>(
      run.model, *init, run.seed, run.id, run.radius, c.integer("optimize lbfgs history_size"),
      t.alpha, t.obj, t.rel_obj, t.grad, t.rel_grad, t.param, iterations, save, run.refresh,
      run.interrupt, run.logger, run.nowhere, writer);
}

int optimize(Run& run) {
  return run.command.flag("optimize jacobian") ? search<true>(run) : search<false>(run);
}

const Provided provided(arguments(), optimize);

}  // namespace
