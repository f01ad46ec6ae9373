"""Decide what a task should cost and who should do it: prices, token estimates, and the choices.

Values in, values out: nothing here asks a model or touches the machine.
"""
