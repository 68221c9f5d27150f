"""The backup server: `rclone serve restic`, append-only, one private directory per organisation (= user of the htpasswd file)."""

from infra.servers.certificate import ensure_certificate
from infra.servers.process import Process, listens
from infra.state import State, write

USER = "nastup-vault"


def process(state: State) -> Process:
    credentials, repositories = state.path("vault", "htpasswd"), state.path("vault", "repositories")
    certificate, key = state.path("tls", "vault.crt"), state.path("tls", "vault.key")
    return Process(
        name="vault",
        command=[
            *["rclone", "serve", "restic", "--config", "/dev/null", "--addr", f"127.0.0.1:{state.port('vault')}"],
            *["--append-only", "--private-repos", "--htpasswd", credentials, "--cert", certificate, "--key", key, repositories],
        ],
        user=USER,
        environment={"RCLONE_CACHE_DIR": str(state.path("vault", "cache"))},
        configure=lambda: _configure(state),
        ready=lambda: listens(state.port("vault")),
    )


def _configure(state: State) -> None:
    state.room("vault", USER)
    state.room("vault/repositories", USER)
    ensure_certificate(state, "vault", USER)
    if not state.path("vault", "htpasswd").exists():  # the store agent writes it
        write(state.path("vault", "htpasswd"), "", user=USER)
