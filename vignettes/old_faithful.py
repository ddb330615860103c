"""Old Faithful: two kinds of eruption, found without being told (what `make demo` runs)."""

from pathlib import Path

from plotnine.data import faithful

import stanmix as sm

FORMULA = 'cbind(eruptions, waiting) ~ mix(normal, K=2, cov="full")'

model = sm.model(FORMULA, faithful)
print(model, end="\n\n")
print(model.code)

fit = model.fit(engine="stanli", seed=1)
print(fit.summary().round(3).to_string(), end="\n\n")
print(fit.diagnose(), end="\n\n")

membership = fit.membership()
print("Probability of each component, first rows:")
print(membership.head().round(3).to_string(), end="\n\n")
counts = membership.idxmax(axis=1).value_counts().sort_index()
print(f"Rows by their most probable component: {counts.to_dict()}", end="\n\n")

picture = Path("demo") / "old_faithful.png"
picture.parent.mkdir(exist_ok=True)
fit.plot().save(picture, width=6, height=4, dpi=150, verbose=False)
print(f"Wrote {picture}")
