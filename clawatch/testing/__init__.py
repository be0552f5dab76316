"""For tests of ClaWatch and of plugins: a clock one can turn, a store in memory, contract suites. Public."""
