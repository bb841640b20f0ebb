"""What must hold whatever bytes come: one target a codec, `check(data)`, for a fuzzer to break.

    script/fuzz frame --seconds 600      looks for an input that breaks it (see `__main__`)
    script/test tests/fuzz               replays what was ever found, without the fuzzer

A target also has `seeds()`: what modules and meters were seen to write, as inputs of that target. `corpus/*.txt` holds,
a line of hexadecimal digits each, the inputs that reach furthest into the codec, and each one that broke it once.
"""
