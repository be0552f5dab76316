"""``clawatch wrap``: run any command as an agent, say how it does, and carry pause, resume and stop to all of it.

The command keeps the standard input, output and error, the terminal, the session and the process group that it
would have had without us: output is noticed by the kernel's own count of bytes written, so nothing stands between.
"""
