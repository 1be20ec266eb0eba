"""The MLflow server of a team: PostgreSQL behind it, artifacts passed on to S3, and users with passwords and roles.

    python server.py                      starts it; all settings come from the environment, see README.md
    python server.py migrate              brings the tables to this version of MLflow
    python server.py healthy              exits 0 if the server on this machine answers
    python server.py user NAME --role reader|trainer|admin --password-file FILE
                                          makes a user, or gives one a new password and that role alone

What is secret comes from the environment or, better, from a file that a variable ending in _FILE names; it stands in no
command line and is not printed.
"""

from __future__ import annotations

import argparse
import configparser
import os
import re
import sys
import tempfile
import urllib.request
from pathlib import Path

AUTH_CONFIG = "MLFLOW_AUTH_CONFIG_PATH"
DATABASE = "MLFLOW_BACKEND_STORE_URI"
DESTINATION = "MLFLOW_ARTIFACTS_DESTINATION"
HOSTS = "MLFLOW_SERVER_ALLOWED_HOSTS"
SECRETS = (
    "PGPASSWORD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
)
KNOWN_PASSWORDS = frozenset({"password1234", "password", "admin", "changeme", "change-me", "secret", "mlflow"})
LEAST_CHARACTERS = 12
ROLES = {"reader": "READ", "trainer": "EDIT"}
"""What users of a role may do with every experiment and every model. Who makes one may do all with it."""
RESOURCES = ("experiment", "registered_model")
WORKSPACE = "default"


class RefusedError(Exception):
    """A setting is missing or cannot be used; the sentence says which."""


def main(arguments: list[str] | None = None) -> int:
    """Does what the first argument says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="server.py", description="The MLflow server of a team.")
    verbs = parser.add_subparsers(dest="verb")
    for verb, words in (("serve", "start it"), ("migrate", "upgrade the tables"), ("healthy", "does it answer?")):
        verbs.add_parser(verb, help=words)
    user = verbs.add_parser("user", help="make a user, or change its password and role")
    user.add_argument("name")
    user.add_argument("--role", required=True, choices=[*ROLES, "admin"])
    user.add_argument("--password-file", required=True, type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.verb == "healthy":
            return 0 if healthy() else 1
        read_secrets()
        if given.verb == "migrate":
            migrate()
        elif given.verb == "user":
            set_user(given.name, given.role, given.password_file)
        else:
            serve()
    except RefusedError as error:
        print(f"server.py: {error}", file=sys.stderr)
        return 2
    return 0


def serve() -> None:
    """Checks the settings and becomes the server."""
    database(), allowed_hosts()
    if not required(DESTINATION).startswith("s3://"):
        raise RefusedError(f"{DESTINATION}: expected an address on S3, such as s3://mlflow/artifacts.")
    check_password("MLFLOW_AUTH_ADMIN_PASSWORD", required("MLFLOW_AUTH_ADMIN_PASSWORD"))
    if len(required("MLFLOW_FLASK_SERVER_SECRET_KEY")) < 32:
        raise RefusedError("MLFLOW_FLASK_SERVER_SECRET_KEY: expected at least 32 characters (openssl rand -hex 32).")
    required("MLFLOW_AUTH_ADMIN_USERNAME")
    port, workers = number("MLFLOW_PORT", 5000), number("MLFLOW_WORKERS", 2)
    os.environ[AUTH_CONFIG] = str(auth_config())
    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1")
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")  # 0.5 GB of processes for what we do not use
    # The rest MLflow reads from the environment: a command line can be seen by everybody on the machine.
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--serve-artifacts"]
    command += ["--host", os.environ.get("MLFLOW_LISTEN") or "0.0.0.0", "--port", str(port)]  # noqa: S104 - a container
    sys.stdout.flush()
    os.execv(sys.executable, [*command, "--workers", str(workers)])


def migrate() -> None:
    """Brings the tables of runs and models, and those of users, to the version that is installed here."""
    import sqlalchemy
    from mlflow.server.auth.db.utils import migrate as migrate_users
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db

    engine = sqlalchemy.create_engine(database())
    try:
        if not sqlalchemy.inspect(engine).has_table("alembic_version"):
            _initialize_tables(engine)
        _upgrade_db(engine)
        migrate_users(engine, "head")
    finally:
        engine.dispose()
    print("server.py: the tables are those of this version.")


def healthy() -> bool:
    """Whether the server on this machine answers under the first of its names."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{number('MLFLOW_PORT', 5000)}/health", headers={"Host": allowed_hosts()[0]}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - http, to this machine
            return bool(answer.status == 200)
    except OSError:
        return False


def set_user(name: str, role: str, password_file: Path) -> None:
    """Makes a user, or gives an old one this password and this role alone."""
    password = read(password_file)
    check_password(str(password_file), password)
    from mlflow.exceptions import MlflowException
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    store = SqlAlchemyStore()
    store.init_db(database())
    if store.has_user(name):
        user = store.update_user(name, password=password, is_admin=role == "admin")
    else:
        user = store.create_user(name, password, is_admin=role == "admin")
    for known, permission in ROLES.items():
        try:
            found = store.get_role_by_name(WORKSPACE, known)
        except MlflowException:
            found = store.create_role(known, WORKSPACE, f"{permission} on every experiment and model")
            for resource in RESOURCES:
                store.add_role_permission(found.id, resource, "*", permission)
        has = any(other.id == found.id for other in store.list_user_roles(user.id))
        if known == role and not has:
            store.assign_role_to_user(user.id, found.id)
        elif known != role and has:
            store.unassign_role_from_user(user.id, found.id)
    print(f"server.py: {name} is a user with the role {role}.")


def read_secrets() -> None:
    """Takes each secret that a file holds into the environment of this process."""
    for name in SECRETS:
        if file := os.environ.pop(f"{name}_FILE", ""):
            os.environ[name] = read(Path(file))


def read(file: Path) -> str:
    """The secret in a file, without the line's end."""
    try:
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file}: the secret cannot be read ({type(error).__name__}).") from None
    if not secret or "\n" in secret:
        raise RefusedError(f"{file}: expected one line with the secret.")
    return secret


def database() -> str:
    """The address of the database, which holds no password (libpq reads it from PGPASSWORD)."""
    address = required(DATABASE)
    if not re.match(r"postgresql(\+psycopg)?://", address):
        raise RefusedError(
            f"{DATABASE}: expected an address of PostgreSQL, such as postgresql://mlflow@postgres/mlflow."
        )
    if re.match(r"[^/]+//[^/@]*:[^/@]*@", address):
        raise RefusedError(f"{DATABASE}: leave the password out of the address; give it in a file, PGPASSWORD_FILE.")
    os.environ[DATABASE] = re.sub(r"^postgresql:", "postgresql+psycopg:", address)
    return os.environ[DATABASE]


def allowed_hosts() -> list[str]:
    """The names under which the server answers, each with its port."""
    hosts = [host.strip() for host in required(HOSTS).split(",")]
    if not all(re.fullmatch(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", host) for host in hosts):
        raise RefusedError(
            f"{HOSTS}: expected names as browsers send them, such as mlflow:5000,mlflow.example.org; no '*'."
        )
    return hosts


def auth_config() -> Path:
    """The file by which MLflow knows its users' database; nobody else may read it, and it holds no secret."""
    config = configparser.ConfigParser(interpolation=None)
    config["mlflow"] = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database(),
        "admin_username": required("MLFLOW_AUTH_ADMIN_USERNAME"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = Path(tempfile.mkdtemp(prefix="mlflow-")) / "auth.ini"
    with path.open("x", encoding="utf-8") as file:
        config.write(file)
    path.chmod(0o600)
    return path


def check_password(place: str, password: str) -> None:
    """Refuses a password that everybody knows or can guess."""
    if password.lower() in KNOWN_PASSWORDS or len(password) < LEAST_CHARACTERS:
        raise RefusedError(
            f"{place}: expected a password of at least {LEAST_CHARACTERS} characters that is not a known one."
        )


def required(name: str) -> str:
    """A setting that has no default."""
    if value := os.environ.get(name, "").strip():
        return value
    raise RefusedError(f"{name} is not set" + (f", nor is {name}_FILE." if name in SECRETS else "; see README.md."))


def number(name: str, default: int) -> int:
    """A whole number above 0."""
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or not 0 < int(value) < 65536:
        raise RefusedError(f"{name}={value}: expected a whole number above 0.")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
