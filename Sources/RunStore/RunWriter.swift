import Dispatch
import Foundation
import GRDB
import Synchronization
package import Traces

/// Records one run into one file: `append` never waits for the disk, commits are durable and come at least once a second.
///
/// Safe to use from any thread. Rows that a commit could not write are lost, everything committed before stays: after
/// the first failure every call throws it, and `Settings.onFailure` has been called with it.
package final class RunWriter: Sendable {
    package struct Settings: Sendable {
        /// Time between commits, s; 0.05 to 1.
        package var commitInterval: Double
        /// Samples of all meters that may wait for the disk; what comes beyond becomes a gap of cause `queue`.
        package var waitingSampleLimit: Int
        /// Whether host times of this run are CLOCK_MONOTONIC of this machine; the writer then notes UTC beside it.
        package var hostClockIsMonotonic: Bool
        /// Called once, from the disk's queue, when writing fails.
        package var onFailure: @Sendable (RunStoreError) -> Void

        package init(
            commitInterval: Double = 0.8, waitingSampleLimit: Int = 2_000_000, hostClockIsMonotonic: Bool = true,
            onFailure: @escaping @Sendable (RunStoreError) -> Void = { _ in }
        ) {
            self.commitInterval = min(1, max(0.05, commitInterval))
            self.waitingSampleLimit = waitingSampleLimit
            self.hostClockIsMonotonic = hostClockIsMonotonic
            self.onFailure = onFailure
        }
    }

    private struct State {
        var buffer: WriteBuffer
        var failure: RunStoreError?
        var isFinished = false
    }

    /// Rows hold about a second of one meter; a faster (virtual) clock may bring more between two commits.
    private static let rowSampleLimit = 1000
    /// Time between two notes of UTC beside the host clock, s.
    private static let utcInterval = 10.0

    package let path: String
    private let settings: Settings
    private let state: Mutex<State>
    private let disk: DispatchQueue
    private let database: Mutex<RunDatabase>
    /// Identities of the markers that were in the file when it was opened: empty for a new file.
    package let storedMarkerIdentities: Set<MarkerRecord.Identity>

    /// Creates a run file at `path`; the file must not exist. `metadata` keys: see docs/run-file.md (`bench`,
    /// `harness_version`, `software`, …).
    package convenience init(
        creating path: String, metadata: [String: String] = [:], settings: Settings = Settings()
    ) throws(RunStoreError) {
        let absolute = RunDatabase.absolute(path)
        let database = try RunDatabase(creating: absolute)
        self.init(path: absolute, database: database, markers: [], metadata: metadata, settings: settings)
        try commit(.everything)
    }

    /// Opens the run file at `path` to go on recording into it after a stop or a death of its writer.
    package convenience init(
        reopening path: String, metadata: [String: String] = [:], settings: Settings = Settings()
    ) throws(RunStoreError) {
        let absolute = RunDatabase.absolute(path)
        let (database, markers) = try RunDatabase.reopen(absolute)
        self.init(path: absolute, database: database, markers: markers, metadata: metadata, settings: settings)
        try commit(.everything)
    }

    private init(
        path: String, database: sending RunDatabase, markers: Set<MarkerRecord.Identity>, metadata: [String: String],
        settings: Settings
    ) {
        self.path = path
        self.settings = settings
        storedMarkerIdentities = markers
        disk = DispatchQueue(label: "wattbench.runstore", qos: .utility)
        var buffer = WriteBuffer(sampleLimit: settings.waitingSampleLimit)
        for (key, value) in metadata { buffer.set(key, value) }
        buffer.set("host_clock", settings.hostClockIsMonotonic ? "CLOCK_MONOTONIC" : "virtual")
        if settings.hostClockIsMonotonic {
            // A node on this machine shares its clock: markers with this boot id need no fit.
            buffer.set("host_boot", String(ProcessMark.bootID.filter { $0 != "-" }.prefix(12)))
            buffer.append(HostClock.readUTC())
        }
        state = Mutex(State(buffer: buffer))
        self.database = Mutex(database)
        scheduleTick()
        if settings.hostClockIsMonotonic { scheduleUTC() }
    }

    // MARK: What is recorded

    /// Makes a meter known to the run, or renews what is known of it. Needed before its samples.
    package func register(_ meter: MeterRecord) throws(RunStoreError) { try change { $0.register(meter) } }

    package func append(_ block: SampleBlock) throws(RunStoreError) {
        try change(meter: block.meter) { $0.append(block) }
    }

    package func append(_ gap: Gap) throws(RunStoreError) { try change(meter: gap.meter) { $0.append(gap) } }

    package func append(_ event: RunEvent) throws(RunStoreError) { try change { $0.append(event) } }

    package func append(_ exchange: ClockExchange) throws(RunStoreError) { try change { $0.append(exchange) } }

    package func append(_ closing: SourceClosing) throws(RunStoreError) { try change { $0.append(closing) } }

    /// A marker whose identity is stored already is left out.
    package func append(_ marker: MarkerRecord) throws(RunStoreError) { try change { $0.append(marker) } }

    package func append(_ telemetry: TelemetryRecord) throws(RunStoreError) { try change { $0.append(telemetry) } }

    package func setMetadata(_ key: String, _ value: String) throws(RunStoreError) { try change { $0.set(key, value) } }

    /// Replaces the counters of a registered meter.
    package func setCounters(_ meter: String, _ counters: MeterCounters) throws(RunStoreError) {
        try change(meter: meter) { $0.set(counters, of: meter) }
    }

    /// The failure that ended the recording, nil while all is well.
    package var failure: RunStoreError? { state.withLock { $0.failure } }

    // MARK: Commits

    private enum Extent { case records, everything }

    /// Makes all appended markers, events, gaps, clock pairs, telemetry and metadata durable before it returns.
    /// Calls at the same time share one commit. Samples wait for the next regular commit, so that acks do not cut them small.
    package func commitNow() async throws(RunStoreError) { try await onDisk { $0.tryCommit(.records) } }

    /// Like `commitNow`, samples too.
    package func commitEverything() async throws(RunStoreError) { try await onDisk { $0.tryCommit(.everything) } }

    /// Writes what is left, completes the pyramid, folds the write-ahead log into the file and closes it.
    package func finish() async throws(RunStoreError) { try await onDisk { $0.finishOnDisk() } }

    private func onDisk(_ work: @escaping @Sendable (RunWriter) -> RunStoreError?) async throws(RunStoreError) {
        let failure = await withCheckedContinuation { continuation in
            disk.async { continuation.resume(returning: work(self)) }
        }
        if let failure { throw failure }
    }

    private func change(meter: String? = nil, _ body: (inout WriteBuffer) -> Void) throws(RunStoreError) {
        let failure: RunStoreError? = state.withLock { state in
            if let failure = state.failure { return failure }
            if state.isFinished { return .finished(path: path) }
            if let meter, !state.buffer.knows(meter) { return .unknownMeter(path: path, serial: meter) }
            body(&state.buffer)
            return nil
        }
        if let failure { throw failure }
    }

    private func commit(_ extent: Extent) throws(RunStoreError) {
        if let failure = disk.sync(execute: { tryCommit(extent) }) { throw failure }
    }

    /// On the disk's queue: commits what waits, or tells why not.
    private func tryCommit(_ extent: Extent, final: Bool = false) -> RunStoreError? {
        let taken: Result<WriteBuffer.Batch, RunStoreError> = state.withLock { state in
            if let failure = state.failure { return .failure(failure) }
            if state.isFinished, !final { return .failure(.finished(path: path)) }
            switch extent {
            case .records: return .success(state.buffer.takeRecords())
            case .everything:
                return .success(state.buffer.takeAll(rowLimit: Self.rowSampleLimit, final: final))
            }
        }
        switch taken {
        case .failure(let failure): return failure
        case .success(let batch):
            if batch.isEmpty { return nil }
            return noting { database throws(RunStoreError) in try database.commit(batch) }
        }
    }

    private func finishOnDisk() -> RunStoreError? {
        let failure: RunStoreError? = state.withLock { state in
            if let failure = state.failure { return failure }
            if state.isFinished { return .finished(path: path) }
            state.isFinished = true
            if settings.hostClockIsMonotonic { state.buffer.append(HostClock.readUTC()) }
            return nil
        }
        if let failure {
            // A failed writer still lets go of the file.
            database.withLock { $0.abandon() }
            return failure
        }
        if let failure = tryCommit(.everything, final: true) { return failure }
        return noting { database throws(RunStoreError) in try database.close() }
    }

    private func noting(_ work: (inout RunDatabase) throws(RunStoreError) -> Void) -> RunStoreError? {
        let failure: RunStoreError? = database.withLock { database in
            do throws(RunStoreError) {
                try work(&database)
                return nil
            } catch {
                return error
            }
        }
        guard let failure else { return nil }
        let isFirst = state.withLock { state in
            defer { if state.failure == nil { state.failure = failure } }
            return state.failure == nil
        }
        if isFirst { settings.onFailure(failure) }
        return failure
    }

    private func scheduleTick() {
        disk.asyncAfter(deadline: .now() + settings.commitInterval) { [weak self] in
            guard let self, self.tryCommit(.everything) == nil else { return }
            self.scheduleTick()
        }
    }

    private func scheduleUTC() {
        disk.asyncAfter(deadline: .now() + Self.utcInterval) { [weak self] in
            guard let self, (try? self.append(HostClock.readUTC())) != nil else { return }
            self.scheduleUTC()
        }
    }
}

/// The clocks of this machine.
enum HostClock {
    /// UTC between two readings of CLOCK_MONOTONIC.
    static func readUTC() -> ClockExchange {
        let before = now(CLOCK_MONOTONIC)
        let utc = now(CLOCK_REALTIME)
        return ClockExchange(
            clock: "utc", t1: before, t2: utc, t3: utc, t4: now(CLOCK_MONOTONIC))
    }

    private static func now(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
