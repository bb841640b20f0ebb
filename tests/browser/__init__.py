"""What a user sees: a real Home Assistant in a real browser, in both languages, at a desk and on a phone.

From the bottom up: ``pictures`` knows the pictures that come of it, ``screen`` is a window of the browser and what must
never be in it, ``pages`` is what a user does on each page, ``household`` is the meter and its Home Assistant, and the
tests visit it. Run by ``script/browser``, in an environment of its own.
"""
