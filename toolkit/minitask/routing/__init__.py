"""Choose who does a task: its history, what the ledger has learned, what calls cost, the route that follows.

Start at `route_task.route_of`; `requests.make_order` makes what an executor is asked, `costs.baseline_cost` what a
frontier model would have cost, `pass_rates.lessons` what earlier attempts teach.
"""
