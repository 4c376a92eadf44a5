"""A Redis server of our own on a free port of 127.0.0.1, and a Sentinel group around several of them.

Debian's redis-tools has the program of server and Sentinel, as `redis-check-rdb`; what it does depends on the name it is
called by. So no package is needed that starts a service."""

import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

from support import certificates
from support.ports import free_port
from support.processes import Process
from support.waiting import eventually

try:
    import redis
except ImportError:
    redis = None

PROGRAM = shutil.which("redis-server", path="/usr/bin:/usr/local/bin") or shutil.which("redis-check-rdb", path="/usr/bin")


def why_not_here():
    """The reason why this machine cannot run a server, or None."""
    if PROGRAM is None:
        return "no Redis server is installed (Debian and Ubuntu: redis-tools)"
    if redis is None:
        return "Python's client for Redis is not installed (Debian: python3-redis)"
    return None


class RedisServer:
    """Without `password` anyone may connect. `tls` adds a port for TLS with a certificate of our own authority. Settings
    are those of redis.conf with `_` for `-`: `maxmemory="3mb"`, `appendonly="yes"`. By default nothing is kept on disk, and
    a server that is killed comes back empty."""

    def __init__(self, password=None, tls=False, name="redis", **settings):
        # Not below the test's folder: the path of a socket has at most 107 bytes.
        self.home = Path(tempfile.mkdtemp(prefix="switchyard-redis-"))
        self.port = settings.get("port") or free_port()
        self.password = password
        self.socket = self.home / "redis.sock"
        self.certificates = certificates.make(self.home) if tls else None
        self.tls_port = free_port() if tls else None
        wanted = {"bind": "127.0.0.1", "port": self.port, "unixsocket": self.socket, "unixsocketperm": "700",
                  "dir": self.home, "save": "", "appendonly": "no", "appendfsync": "always", "daemonize": "no"}
        if password is not None:
            wanted |= {"requirepass": password, "masterauth": password}
        if tls:
            wanted |= {"tls-port": self.tls_port, "tls-auth-clients": "no", "tls-cert-file": self.certificates.certificate,
                       "tls-key-file": self.certificates.key, "tls-ca-cert-file": self.certificates.authority}
        wanted |= {key.replace("_", "-"): value for key, value in settings.items()}
        command = ["redis-server"]
        for key, value in wanted.items():
            command += [f"--{key}", value]
        self.process = Process(name, command, self.home, program=PROGRAM)

    def url(self, database=0, password=None):
        return f"redis://{self._login(password)}127.0.0.1:{self.port}/{database}"

    def tls_url(self, database=0):
        return f"rediss://{self._login(None)}127.0.0.1:{self.tls_port}/{database}"

    def socket_url(self, database=0):
        return f"unix://{self._login(None)}{self.socket}?db={database}"

    def _login(self, password):
        password = self.password if password is None else password
        return "" if password is None else f":{quote(password, safe='')}@"

    def client(self, database=0, **arguments):
        """A connection to look from outside; replies are bytes."""
        return redis.Redis(host="127.0.0.1", port=self.port, db=database, password=self.password, **arguments)

    def start(self):
        self.process.start()
        return self.wait_ready()

    def answers(self):
        try:
            with self.client(socket_timeout=5, socket_connect_timeout=5) as client:
                return client.ping()
        except (redis.ConnectionError, redis.TimeoutError):  # BusyLoading is a ConnectionError
            return False

    def wait_ready(self):
        def ready():
            if not self.process.alive():
                raise RuntimeError(f"Redis did not start:\n{self.process.log()[-4000:]}")
            return self.answers()
        eventually(ready, "Redis to answer", interval_s=0.01)
        return self

    def kill9(self):
        self.process.kill()

    def restart(self):
        self.kill9()
        return self.start()

    def stop(self):
        return self.process.stop()

    def remove(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.remove()


class SentinelGroup:
    """One master, its replicas, and three Sentinels that replace a master that does not answer within half a second."""

    NAME = "switchyard"

    def __init__(self, replicas=1, password=None):
        self.password = password
        master = RedisServer(password, name="redis-0")
        self.servers = [master]
        for number in range(1, replicas + 1):
            # No delay and no disk: a replica is in step within milliseconds of its start.
            self.servers.append(RedisServer(password, name=f"redis-{number}", replicaof=f"127.0.0.1 {master.port}",
                                            repl_diskless_sync_delay=0))
        self.home = Path(tempfile.mkdtemp(prefix="switchyard-sentinel-"))
        self.ports = [free_port() for _ in range(3)]
        self.sentinels = [self._sentinel(number, port) for number, port in enumerate(self.ports)]

    def url(self, database=0):
        login = "" if self.password is None else f":{quote(self.password, safe='')}@"
        return f"redis+sentinel://{login}{','.join(f'127.0.0.1:{port}' for port in self.ports)}/{self.NAME}/{database}"

    def _sentinel(self, number, port):
        folder = self.home / str(number)
        folder.mkdir()
        lines = ["bind 127.0.0.1", f"port {port}", f"dir {folder}", "protected-mode no",
                 f"sentinel monitor {self.NAME} 127.0.0.1 {self.servers[0].port} 2",
                 f"sentinel down-after-milliseconds {self.NAME} 500",
                 f"sentinel failover-timeout {self.NAME} 2000",
                 f"sentinel parallel-syncs {self.NAME} 2"]
        if self.password is not None:
            lines.append(f"sentinel auth-pass {self.NAME} {self.password}")
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")  # Sentinel rewrites it
        return Process(f"sentinel-{number}", ["redis-sentinel", folder / "sentinel.conf", "--sentinel"], folder,
                       program=PROGRAM)

    def _ask(self, port, question):
        """What `question`, a function of a client, gives for this Sentinel; None while there is no answer."""
        try:
            with redis.Redis(host="127.0.0.1", port=port, socket_timeout=5, decode_responses=True) as client:
                return question(client)
        except (redis.ConnectionError, redis.TimeoutError, redis.ResponseError):
            return None

    def master_port(self, sentinel_port=None):
        """The port of the master as a Sentinel knows it, or None."""
        address = self._ask(sentinel_port or self.ports[0],
                            lambda client: client.sentinel_get_master_addr_by_name(self.NAME))
        return int(address[1]) if address else None

    def master(self):
        port = self.master_port()
        return next(server for server in self.servers if server.port == port)

    def start(self):
        for server in self.servers:
            server.start()
        for sentinel in self.sentinels:
            sentinel.start()
        eventually(self._complete, "the Sentinels to know each other and the replicas", timeout_s=60)
        return self

    def _complete(self):
        for port in self.ports:
            state = self._ask(port, lambda client: client.sentinel_master(self.NAME))
            if not state or state["num-other-sentinels"] < 2 or state["num-slaves"] < len(self.servers) - 1:
                return False
            replicas = self._ask(port, lambda client: client.sentinel_slaves(self.NAME)) or []
            if not all(replica["master-link-status"] == "ok" for replica in replicas):
                return False
        return True

    def wait_for_failover(self, old):
        """Until all Sentinels name another master than `old`, and it takes writes."""
        def done():
            ports = {self.master_port(port) for port in self.ports}
            if len(ports) != 1 or ports & {None, old.port}:
                return None
            master = next(server for server in self.servers if {server.port} == ports)
            with master.client() as client:
                return master if client.info("replication")["role"] == "master" else None
        return eventually(done, "Sentinel to choose another master", timeout_s=60)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for process in self.sentinels:
            process.kill()
        for server in self.servers:
            server.kill9()
            server.remove()
        shutil.rmtree(self.home, ignore_errors=True)
