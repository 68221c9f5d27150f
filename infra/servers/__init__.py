"""The servers and our own processes: what each needs, how it is started, how it is seen to be ready.

One module per server with `process(state) -> Process`; `infra/launcher.py` starts them in the order of `after`, side by side where it can.
"""
