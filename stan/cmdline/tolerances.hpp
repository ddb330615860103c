// When a quasi-Newton search ends; optimization and pathfinder share these arguments.
#pragma once

#include "arguments.hpp"

inline Arguments tolerances(bool history) {
  Arguments all{
    real("init_alpha", "Line search step size for first iteration", "0.001", positive),
    real("tol_obj", "Tolerance on absolute changes in objective function", "1e-12", natural),
    real("tol_rel_obj", "Tolerance on relative changes in objective function", "10000", natural),
    real("tol_grad", "Tolerance on the norm of the gradient", "1e-08", natural),
    real("tol_rel_grad", "Tolerance on the relative norm of the gradient", "1e+07", natural),
    real("tol_param", "Tolerance on changes in parameter value", "1e-08", natural)};
  if (history)
    all.push_back(integer("history_size", "Amount of history to keep for L-BFGS", "5", positive));
  return all;
}

struct Tolerances {
  double alpha, obj, rel_obj, grad, rel_grad, param;

  Tolerances(const Argument& command, const std::string& where)
      : alpha(command.real(where + " init_alpha")),
        obj(command.real(where + " tol_obj")),
        rel_obj(command.real(where + " tol_rel_obj")),
        grad(command.real(where + " tol_grad")),
        rel_grad(command.real(where + " tol_rel_grad")),
        param(command.real(where + " tol_param")) {}
};
