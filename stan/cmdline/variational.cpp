// Variational inference: ADVI with a diagonal or a full covariance.
#include "run.hpp"

#include <stan/services/experimental/advi/fullrank.hpp>
#include <stan/services/experimental/advi/meanfield.hpp>

namespace {

Argument arguments() {
  return group("variational", "Variational inference", {
    choice("algorithm", "Variational inference algorithm", "meanfield", {
      group("meanfield", "mean-field approximation"),
      group("fullrank", "full-rank covariance")}),
    integer("iter", "Maximum number of ADVI iterations", "10000", positive),
    integer("grad_samples", "Number of Monte Carlo draws for the gradient", "1", positive),
    integer("elbo_samples", "Number of Monte Carlo draws for the ELBO", "100", positive),
    real("eta", "Stepsize scaling parameter", "1", positive),
    group("adapt", "Eta Adaptation for Variational Inference", {
      flag("engaged", "Boolean flag for eta adaptation", true),
      integer("iter", "Number of iterations for eta adaptation", "50", positive)}),
    real("tol_rel_obj", "Relative tolerance parameter for convergence", "0.01", positive),
    integer("eval_elbo", "Number of iterations between ELBO evaluations", "100", positive),
    integer("output_samples", "Number of approximate posterior draws", "1000", positive)});
}

int variational(Run& run) {
  using namespace stan::services::experimental::advi;
  const Argument& c = run.command;
  Context init = read(run.init);
  Writer writer = run.writer();
  std::vector<Writer> diagnostics = run.writers(c.text("output diagnostic_file"), 1);
  auto fit = [&](auto service) {
    return service(run.model, *init, run.seed, run.id, run.radius,
                   c.integer("variational grad_samples"), c.integer("variational elbo_samples"),
                   c.integer("variational iter"), c.real("variational tol_rel_obj"),
                   c.real("variational eta"), c.flag("variational adapt engaged"),
                   c.integer("variational adapt iter"), c.integer("variational eval_elbo"),
                   c.integer("variational output_samples"), run.interrupt, run.logger,
                   run.nowhere, writer, diagnostics[0]);
  };
  return c.text("variational algorithm") == "fullrank" ? fit(fullrank<stan::model::model_base>)
                                                       : fit(meanfield<stan::model::model_base>);
}

const Provided provided(arguments(), variational);

}  // namespace
