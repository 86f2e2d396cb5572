import Glibc
package import PhaseLink
import Synchronization
import Timebase

/// A journal in a text file: the lines as received, one each, so that it can be imported like any marker file.
///
/// Clock exchanges and closings stand between them as lines of kinds that importers of marker files ignore. A line that
/// a power cut left unfinished at the end is cut off when the file is opened again; it was never acknowledged.
package final class FileMarkerJournal: MarkerJournal {
    private let path: String
    private let descriptor: Int32
    private let stored: Mutex<[(identity: MarkerIdentity, byeLast: Int64?)]>
    /// Length up to which the file is known to be good; `-1` after a failed write that could not be undone.
    private let length: Mutex<Int64>

    /// Opens the file or makes it, and reads what it holds.
    package init(path: String) throws(MarkerServerError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .journal(path: path, reason: Self.reason) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw .journal(path: path, reason: "another receiver writes to it")
        }
        var identities: [(identity: MarkerIdentity, byeLast: Int64?)] = []
        var splitter = LineSplitter()
        var good: Int64 = 0
        var at: Int64 = 0
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = pread(descriptor, &chunk, chunk.count, off_t(at))
            guard count > 0 else { break }
            if let last = chunk[..<count].lastIndex(of: 0x0A) { good = at + Int64(last) + 1 }
            for case .line(let line) in splitter.feed(chunk[..<count]) {
                guard case .event(let event)? = try? MarkerLine(decoding: line[...]) else { continue }
                if case .bye(let last) = event.body {
                    identities.append((event.identity, last))
                } else {
                    identities.append((event.identity, nil))
                }
            }
            at += Int64(count)
        }
        guard ftruncate(descriptor, off_t(good)) == 0 else {
            close(descriptor)
            throw .journal(path: path, reason: Self.reason)
        }
        stored = Mutex(identities)
        length = Mutex(good)
    }

    deinit { close(descriptor) }

    private static var reason: String { String(cString: strerror(errno)) }

    package func storedIdentities() async throws -> [(identity: MarkerIdentity, byeLast: Int64?)] {
        stored.withLock { identities in
            defer { identities = [] }
            return identities
        }
    }

    package func append(_ records: [JournalRecord]) async throws {
        var text = ""
        for record in records {
            text += Self.line(record)
            text += "\n"
        }
        let bytes = Array(text.utf8)
        try length.withLock { length throws(MarkerServerError) in
            guard length >= 0 else { throw .journal(path: path, reason: "an earlier write failed half-way") }
            var done = 0
            while done < bytes.count {
                let count = bytes[done...].withUnsafeBytes {
                    pwrite(descriptor, $0.baseAddress, $0.count, off_t(length) + done)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    let reason = Self.reason
                    if ftruncate(descriptor, off_t(length)) != 0 { length = -1 }
                    throw .journal(path: path, reason: reason)
                }
                done += count
            }
            guard fdatasync(descriptor) == 0 else {
                // After a failed sync the kernel may have dropped the pages: nothing written later can be trusted.
                length = -1
                throw .journal(path: path, reason: Self.reason)
            }
            length += Int64(bytes.count)
        }
    }

    /// What a marker file or a journal holds. Lines that are no marker lines are counted.
    package static func read(path: String) throws(MarkerServerError) -> (records: [JournalRecord], skipped: Int) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .journal(path: path, reason: reason) }
        defer { close(descriptor) }
        var records: [JournalRecord] = []
        var skipped = 0
        let now = HostClock.nowNanoseconds
        func take(_ pieces: [LineSplitter.Piece]) {
            for piece in pieces {
                guard case .line(let bytes) = piece, let record = record(bytes, readAt: now) else {
                    skipped += 1
                    continue
                }
                records.append(record)
            }
        }
        var splitter = LineSplitter()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 { throw .journal(path: path, reason: reason) }
            if count == 0 { break }
            take(splitter.feed(chunk[..<count]))
        }
        take(splitter.end())
        return (records, skipped)
    }

    private static func record(_ bytes: [UInt8], readAt now: Int64) -> JournalRecord? {
        guard let line = try? MarkerLine(decoding: bytes[...]) else { return nil }
        if case .event(let event) = line {
            let raw = String(decoding: bytes, as: UTF8.self)
            return .line(ReceivedLine(event: event, raw: raw, receivedAtNanoseconds: now, transport: .file))
        }
        guard case .unknown(let kind) = line, let members = JSONValue(parsing: bytes)?.object,
            let node = members["node"]?.string, let boot = members["boot"]?.string
        else { return nil }
        let timeLine = TimeLine(node: node, boot: boot)
        if kind == "journal_closing", let source = members["src"]?.string, let at = members["host_ns"]?.integer {
            return .closing(
                ConnectionClosing(source: SourceIdentity(timeLine: timeLine, source: source), atNanoseconds: at))
        }
        guard kind == "journal_clock", let t1 = members["t1"]?.integer, let t2 = members["t2"]?.integer,
            let t3 = members["t3"]?.integer, let t4 = members["t4"]?.integer, let burst = members["burst"]?.integer
        else { return nil }
        return .clock(
            NodeClockExchange(
                timeLine: timeLine,
                exchange: FourStampExchange(
                    stamps: FourStamps(t1: t1, t2: t2, t3: t3, t4: t4),
                    hostAsked: members["host_asked"] == .bool(true), burst: burst)))
    }

    private static func line(_ record: JournalRecord) -> String {
        switch record {
        case .line(let line): return line.raw
        case .clock(let clock):
            let stamps = clock.exchange.stamps
            return JSONValue.object([
                "t": .string("journal_clock"), "node": .string(clock.timeLine.node),
                "boot": .string(clock.timeLine.boot), "burst": .integer(clock.exchange.burst),
                "host_asked": .bool(clock.exchange.hostAsked), "t1": .integer(stamps.t1), "t2": .integer(stamps.t2),
                "t3": .integer(stamps.t3), "t4": .integer(stamps.t4),
            ]).encoded
        case .closing(let closing):
            return JSONValue.object([
                "t": .string("journal_closing"), "node": .string(closing.source.node),
                "boot": .string(closing.source.boot), "src": .string(closing.source.source),
                "host_ns": .integer(closing.atNanoseconds),
            ]).encoded
        }
    }
}
