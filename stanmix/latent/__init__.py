"""Latent algebra: what `log_omega` and a latent structure say about components, states and rows.

Every function is pure, knows no family, and works on all draws at once. `log_omega[..., n, k]` is
the log density of row n in component or state k; the leading axes `...` (chain, draw) are free,
and those of the arguments broadcast against each other. A mixture has `weights` (..., K). An HMM
has `initial` (..., K), the state probabilities at the first row of a series, and `transition`,
whose rows are the states one moves from. Weights that differ by row are (..., N, K), and initial
probabilities that differ by series (..., S, K): with as many axes as `log_omega`, where there are
fewer otherwise. Transitions are

- (..., K, K), with at most as many axes as `log_omega`: constant in time;
- (..., N, K, K), with exactly one axis more than `log_omega`: entry n is the move from row n - 1
  to row n. Entries at the first row of a series are never read, and may hold anything.

The number of axes decides, never their lengths. So a time-varying transition that all draws share
is given as (1, N, K, K), and a `log_omega` shared by many constant transitions as (1, N, K).

`starts` holds the row at which each series begins; the rows of a series stand together. The
recursions loop over rows, and each step serves all draws and states. A step works on logs and
normalises: however long the series, nothing under- or overflows, and a state whose probability is
far below 1e-308 still counts when a later row admits no other.

**Impossible rows.** `log_omega` may be -inf (bounded support, known labels), and probabilities may
be zero. Where a row is -inf in every state that can be reached, the density of its series is zero
and nothing can be conditioned on it: `log_increment` is -inf from that row to the end of the
series, and so is the log density; state probabilities given that row are NaN; a path is -1 in all
rows of the series. Other series and other draws are unaffected, and numpy does not warn.

References
----------
Chib, S. (1996). Calculating posterior distributions and modal estimates in Markov mixture models.
*Journal of Econometrics*, 75, 79-97.

Grassmann, W. K., Taksar, M. I., & Heyman, D. P. (1985). Regenerative analysis and steady state
distributions for Markov chains. *Operations Research*, 33, 1107-1116.

Hernando, D., Crespi, V., & Cybenko, G. (2005). Efficient computation of the hidden Markov model
entropy for a given observation sequence. *IEEE Transactions on Information Theory*, 51, 2681-2685.

McLachlan, G., & Peel, D. (2000). *Finite mixture models*. Wiley.

Rabiner, L. R. (1989). A tutorial on hidden Markov models and selected applications in speech
recognition. *Proceedings of the IEEE*, 77, 257-286.

Zucchini, W., MacDonald, I. L., & Langrock, R. (2016). *Hidden Markov models for time series: An
introduction using R* (2nd ed.). CRC Press.
"""

from stanmix.latent.entropy import entropy, path_entropy
from stanmix.latent.limit import stationary
from stanmix.latent.mixture import mixture_log_density, responsibility, sample_components
from stanmix.latent.paths import sample_states, viterbi
from stanmix.latent.recursions import Forward, backward, forward
from stanmix.latent.states import (
    backward_filtering,
    filtering,
    leave_one_out,
    log_given_others,
    log_likelihood,
    log_predictive,
    smoothing,
)

__all__ = [
    "Forward",
    "backward",
    "backward_filtering",
    "entropy",
    "filtering",
    "forward",
    "leave_one_out",
    "log_given_others",
    "log_likelihood",
    "log_predictive",
    "mixture_log_density",
    "path_entropy",
    "responsibility",
    "sample_components",
    "sample_states",
    "smoothing",
    "stationary",
    "viterbi",
]
