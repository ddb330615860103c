// When a quasi-Newton search ends; optimization and pathfinder share these arguments.
#pragma once

#include "arguments.hpp"

inline std::vector<Argument> tolerances() {
  using A = Argument;
  return {
      {A::Real, "init_alpha", "Line search step size for first iteration", "0.001", {}, positive},
      {A::Real, "tol_obj", "Convergence tolerance on absolute changes in objective function value",
       "1e-12", {}, natural},
      {A::Real, "tol_rel_obj",
       "Convergence tolerance on relative changes in objective function value", "10000", {},
       natural},
      {A::Real, "tol_grad", "Convergence tolerance on the norm of the gradient", "1e-08", {},
       natural},
      {A::Real, "tol_rel_grad", "Convergence tolerance on the relative norm of the gradient",
       "1e+07", {}, natural},
      {A::Real, "tol_param", "Convergence tolerance on changes in parameter value", "1e-08", {},
       natural}};
}

inline std::vector<Argument> with_history(std::vector<Argument> others) {
  others.push_back({Argument::Integer, "history_size", "Amount of history to keep for L-BFGS", "5",
                    {}, positive});
  return others;
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
