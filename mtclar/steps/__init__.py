"""The nine verbs, one module and one function `run` each: the only code that knows where files lie."""
