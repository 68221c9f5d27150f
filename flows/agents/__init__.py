"""Small programs that run with a server's own rights, on that server's machine: they read wanted rows and write what they saw.

backup.py   as the mail servers' user: snapshots and restores, the only one that reads mail
store.py    as the vault's user: credentials file and retention
"""
