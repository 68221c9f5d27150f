"""The steps of a flow: one outside effect each, recorded in the ledger before and after. `steps` knows how, the others know what."""
