"""What the scenarios share: where to connect and how results are printed, one line each, the same for every run."""
import os

HOST = os.environ["PGHOST"]
PORT = int(os.environ["PGPORT"])
USER = os.environ["PGUSER"]
PASSWORD = os.environ["PGPASSWORD"]
DATABASE = os.environ["PGDATABASE"]


def show(label, value):
    print(f"{label}: {value!r}", flush=True)
