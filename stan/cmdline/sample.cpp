// MCMC: the No-U-Turn sampler with three metrics, with and without adaptation; fixed parameters.
#include "run.hpp"

#include <stan/services/sample/fixed_param.hpp>
#include <stan/services/sample/hmc_nuts_dense_e.hpp>
#include <stan/services/sample/hmc_nuts_dense_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_diag_e.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/services/sample/hmc_nuts_unit_e.hpp>
#include <stan/services/sample/hmc_nuts_unit_e_adapt.hpp>
#include <stan/services/util/create_unit_e_dense_inv_metric.hpp>
#include <stan/services/util/create_unit_e_diag_inv_metric.hpp>

#include <tuple>

namespace {

Argument arguments() {
  Argument adapt = group("adapt", "Warmup Adaptation", {
    flag("engaged", "Adaptation engaged?", true),
    real("gamma", "Adaptation regularization scale", "0.05", positive),
    real("delta", "Adaptation target acceptance statistic", "0.8",
         {0.1, false, 1, true}),
    real("kappa", "Adaptation relaxation exponent", "0.75", positive),
    real("t0", "Adaptation iteration offset", "10", positive),
    integer("init_buffer", "Width of initial fast adaptation interval", "75", natural),
    integer("term_buffer", "Width of final fast adaptation interval", "50", natural),
    integer("window", "Initial width of slow adaptation interval", "25", natural),
    flag("save_metric", "Save metric as JSON?", false)});
  Argument nuts = group("nuts", "The No-U-Turn Sampler", {
    integer("max_depth", "Maximum tree depth", "10", positive)});
  Argument hmc = group("hmc", "Hamiltonian Monte Carlo", {
    choice("engine", "Engine for Hamiltonian Monte Carlo", "nuts", {nuts}),
    choice("metric", "Geometry of base manifold", "diag_e", {
      group("unit_e", "Euclidean manifold with unit metric"),
      group("diag_e", "Euclidean manifold with diag metric"),
      group("dense_e", "Euclidean manifold with dense metric")}),
    text("metric_file", "Input file with precomputed Euclidean metric"),
    real("stepsize", "Step size for discrete evolution", "1", positive),
    real("stepsize_jitter", "Uniformly random jitter of the stepsize", "0", {0, false, 1})});
  return group("sample", "Bayesian inference with Markov Chain Monte Carlo", {
    integer("num_samples", "Number of sampling iterations", "1000", natural),
    integer("num_warmup", "Number of warmup iterations", "1000", natural),
    flag("save_warmup", "Stream warmup samples to output?", false),
    integer("thin", "Period between saved samples", "1", positive),
    adapt,
    choice("algorithm", "Sampling algorithm", "hmc",
           {hmc, group("fixed_param", "Fixed Parameter Sampler")}),
    integer("num_chains", "Number of chains", "1", positive)});
}

// The metric each chain starts from: that of a file, else the identity.
std::vector<Context> read_metrics(const Run& run, bool dense, size_t chains) {
  using namespace stan::services::util;
  const std::string& names = run.command.text("sample hmc metric_file");
  if (!names.empty()) return run.contexts(names, chains);
  size_t size = run.model.num_params_r();
  auto unit = dense ? create_unit_e_dense_inv_metric(size) : create_unit_e_diag_inv_metric(size);
  return std::vector<Context>(chains, std::make_shared<stan::io::array_var_context>(unit));
}

// Call one of Stan's services with arguments that several of them share.
#define CALL(service, ...)                                                            \
  std::apply([](auto&&... each) { return stan::services::sample::service(each...); }, \
             std::tuple_cat(__VA_ARGS__))

int sample(Run& run) {
  const Argument& c = run.command;
  size_t chains = c.integer("sample num_chains");
  int warmup = c.integer("sample num_warmup"), draws = c.integer("sample num_samples");
  int thin = c.integer("sample thin");
  auto inits = run.contexts(run.init, chains);
  auto writers = run.writers(c.text("output file"), chains);
  auto diagnostics = run.writers(c.text("output diagnostic_file"), chains);
  std::vector<stan::callbacks::writer> nowhere(chains);
  auto from = std::tie(run.model, chains, inits);
  auto seed = std::tie(run.seed, run.id, run.radius);
  auto to = std::tie(run.interrupt, run.logger, nowhere, writers, diagnostics);

  bool no_parameters = run.model.num_params_r() == 0;
  if (no_parameters) run.logger.info("Model contains no parameters, running fixed_param sampler");
  if (no_parameters || c.text("sample algorithm") == "fixed_param")
    return CALL(fixed_param, from, seed, std::tie(draws, thin, run.refresh), to);

  auto steps = std::make_tuple(warmup, draws, thin, c.flag("sample save_warmup"), run.refresh,
                               c.real("sample hmc stepsize"), c.real("sample hmc stepsize_jitter"),
                               int(c.integer("sample hmc nuts max_depth")));
  const std::string& metric = c.text("sample hmc metric");
  auto matrices = read_metrics(run, metric == "dense_e", chains);
  auto start = std::tie(matrices);
  bool save = c.flag("sample adapt save_metric");
  if (!c.flag("sample adapt engaged")) {
    if (save) throw std::invalid_argument("save_metric needs adaptation to be engaged.");
    if (metric == "unit_e") return CALL(hmc_nuts_unit_e, from, seed, steps, to);
    if (metric == "diag_e") return CALL(hmc_nuts_diag_e, from, start, seed, steps, to);
    return CALL(hmc_nuts_dense_e, from, start, seed, steps, to);
  }
  if (warmup == 0)
    throw std::invalid_argument("The number of warmup samples (num_warmup) must be greater than "
                                "zero if adaptation is enabled.");
  auto rates = std::make_tuple(c.real("sample adapt delta"), c.real("sample adapt gamma"),
                               c.real("sample adapt kappa"), c.real("sample adapt t0"));
  auto phases = std::make_tuple<unsigned, unsigned, unsigned>(
      c.integer("sample adapt init_buffer"), c.integer("sample adapt term_buffer"),
      c.integer("sample adapt window"));
  std::vector<JsonWriter> adapted;
  const std::string& output = c.text("output file");
  bool listed = output.find(',') != std::string::npos;
  for (auto& path : run.files(listed ? output : suffixed(output, "_metric"), chains))
    adapted.push_back(run.json_writer(!save ? "" : listed ? suffixed(path, "_metric") : path));
  auto also = std::tie(adapted);
  if (metric == "unit_e") return CALL(hmc_nuts_unit_e_adapt, from, seed, steps, rates, to, also);
  if (metric == "diag_e")
    return CALL(hmc_nuts_diag_e_adapt, from, start, seed, steps, rates, phases, to, also);
  return CALL(hmc_nuts_dense_e_adapt, from, start, seed, steps, rates, phases, to, also);
}

const Provided provided(arguments(), sample);

}  // namespace
