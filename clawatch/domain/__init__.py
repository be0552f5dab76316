"""What ClaWatch talks about: values and pure functions, nothing that does I/O.

Public: plugins import from here.
"""
