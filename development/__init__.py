"""A real Home Assistant to develop and test against.

From the bottom up: ``child_process`` starts and ends programs, ``config`` writes a configuration folder,
``home_assistant`` runs and drives a Home Assistant on one, ``simulated_meter`` runs a meter to connect it to,
``plugged_in`` lets it find that by itself, and ``__main__`` puts them together for ``script/develop``. ``package``
stands beside them: what is released, for ``script/package``.
"""
