"""Between parameters as the posterior has them and numbers without bounds, as Stan samples them."""

from stanmix.transforms.layout import Part, Transforms, transforms

__all__ = ["Part", "Transforms", "transforms"]
