// Variational inference: ADVI with a diagonal or a full covariance.
#include "run.hpp"

#include <stan/services/experimental/advi/fullrank.hpp>
#include <stan/services/experimental/advi/meanfield.hpp>

namespace {

using A = Argument;

const A adapt{
    A::Group, "adapt", "Eta Adaptation for Variational Inference", "",
    {{A::Flag, "engaged", "Boolean flag for eta adaptation.", "true"},
     {A::Integer, "iter", "Number of iterations for eta adaptation.", "50", {}, positive}}};

const A arguments{
    A::Group, "variational", "Variational inference", "",
    {{A::Choice, "algorithm", "Variational inference algorithm", "meanfield",
      {{A::Group, "meanfield", "mean-field approximation"},
       {A::Group, "fullrank", "full-rank covariance"}}},
     {A::Integer, "iter", "Maximum number of ADVI iterations.", "10000", {}, positive},
     {A::Integer, "grad_samples", "Number of Monte Carlo draws for computing the gradient.", "1",
      {}, positive},
     {A::Integer, "elbo_samples", "Number of Monte Carlo draws for estimate of ELBO.", "100", {},
      positive},
     {A::Real, "eta", "Stepsize scaling parameter.", "1", {}, positive},
     adapt,
     {A::Real, "tol_rel_obj", "Relative tolerance parameter for convergence.", "0.01", {},
      positive},
     {A::Integer, "eval_elbo", "Number of iterations between ELBO evaluations", "100", {},
      positive},
     {A::Integer, "output_samples", "Number of approximate posterior output draws to save.",
      "1000", {}, positive}}};

int run_variational(Run& run) {
  const A& c = run.command;
  Context init = read(run.init);
  Writer writer = run.writer();
  Writer diagnostics = std::move(run.writers(c.text("output diagnostic_file"), 1).front());
  auto fit = [&](auto service) {
    return service(run.model, *init, run.seed, run.id, run.radius,
                   c.integer("variational grad_samples"), c.integer("variational elbo_samples"),
                   c.integer("variational iter"), c.real("variational tol_rel_obj"),
                   c.real("variational eta"), c.flag("variational adapt engaged"),
                   c.integer("variational adapt iter"), c.integer("variational eval_elbo"),
                   c.integer("variational output_samples"), run.interrupt, run.logger,
                   run.nowhere, writer, diagnostics);
  };
  using namespace stan::services::experimental::advi;
  return c.text("variational algorithm") == "fullrank" ? fit(fullrank<stan::model::model_base>)
                                                       : fit(meanfield<stan::model::model_base>);
}

[[maybe_unused]] const bool provided = provide(arguments, run_variational);

}  // namespace
