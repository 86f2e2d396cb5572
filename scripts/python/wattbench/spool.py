"""Lines on disk until the receiver has them: the agent's queue, which survives its restarts."""

import sqlite3
import threading


class Spool:
    """Safe to use from several threads. Survives the death of the agent; of lines that came in the last moments before
    a power cut of the node some may be lost, which their numbers then show."""

    def __init__(self, path, limit=1_000_000):
        self._lock = threading.Lock()
        self._limit = limit
        self.dropped = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A full sync a second wears out a memory card and costs energy that is being measured.
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS line (id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT, boot TEXT, src TEXT, "
            "seq INTEGER, data BLOB NOT NULL, UNIQUE (node, boot, src, seq))"
        )
        self._db.execute("CREATE INDEX IF NOT EXISTS line_source ON line (src, seq)")
        self._count = self._db.execute("SELECT count(*) FROM line").fetchone()[0]

    def put_all(self, rows):
        """Rows of (node, boot, src, seq, line with line break). Stored when it returns."""
        if not rows:
            return
        with self._lock:
            self._db.execute("BEGIN")
            try:
                before = self._db.total_changes
                self._db.executemany(
                    "INSERT OR IGNORE INTO line (node, boot, src, seq, data) VALUES (?,?,?,?,?)", rows
                )
                self._count += self._db.total_changes - before
                over = self._count - self._limit
                if over > 0:
                    self._db.execute("DELETE FROM line WHERE id IN (SELECT id FROM line ORDER BY id LIMIT ?)", (over,))
                    self.dropped += over
                    self._count -= over
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def after(self, sent, limit):
        with self._lock:
            return self._db.execute(
                "SELECT id, data FROM line WHERE id > ? ORDER BY id LIMIT ?", (sent, limit)
            ).fetchall()

    def acked(self, src, seq, up_to):
        if not isinstance(src, str) or not isinstance(seq, int):
            return
        # Lines of one source need not stand in the order of their numbers here; they were sent in the order of ids, so
        # the acknowledged one and those before it are stored.
        with self._lock:
            done = self._db.execute(
                "DELETE FROM line WHERE src = :src AND id <= (SELECT min(id) FROM line WHERE src = :src AND seq = :seq "
                "AND id <= :up_to)",
                {"src": src, "seq": seq, "up_to": up_to},
            )
            self._count -= done.rowcount

    def is_empty(self):
        with self._lock:
            return self._count == 0

    def __len__(self):
        with self._lock:
            return self._count

    def close(self):
        with self._lock:
            self._db.close()
