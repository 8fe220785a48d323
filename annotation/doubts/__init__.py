"""Labels that may be wrong: one file per reason to doubt, all of one shape, and ``reasons`` lists them."""
