"""The questions that one may ask of a fit, each a function of the fit and a method of `Fit`.

`asking` puts a question: it evaluates the program at stored draws, on any rows, chunk by chunk. The
other modules hold the questions, by what they are about.
"""
