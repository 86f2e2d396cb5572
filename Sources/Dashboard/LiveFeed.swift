import Foundation
package import Traces
import Synchronization

/// Joins the recorder, which must never wait, to any number of pages, which may be slow.
///
/// `add` and `update` only copy; a page that falls behind loses its oldest messages, never the recorder's time.
package final class LiveFeed: Sendable {
    /// What a page receives.
    package enum Message: Sendable, Equatable {
        /// Columns of one lane, laid out as `LiveFeed.encode` says.
        case columns([UInt8])
        /// `LiveStatus` as JSON.
        case status(String)
    }

    private struct State {
        var status: LiveStatus
        var lanes: [String: Int] = [:]
        var columns: [LiveColumns] = []
        var pending: [[LiveColumns.Column]] = []
        var recent: [[LiveColumns.Column]] = []
        var listeners: [Int: AsyncStream<Message>.Continuation] = [:]
        var nextListener = 0
        var sent: ContinuousClock.Instant?
    }

    private let state: Mutex<State>
    /// Columns kept for a page that opens late: 60 s of 10 ms.
    private static let kept = 6000

    /// - Parameters:
    ///   - status: lanes in the order in which they are shown.
    ///   - originNanoseconds: host time that pages show as 0 s.
    package init(status: LiveStatus, originNanoseconds: Int64, signs: [String: Double] = [:]) {
        var state = State(status: status)
        for (index, lane) in status.lanes.enumerated() {
            state.lanes[lane.meter] = index
            state.columns.append(LiveColumns(originNanoseconds: originNanoseconds, sign: signs[lane.meter] ?? 1))
            state.pending.append([])
            state.recent.append([])
        }
        self.state = Mutex(state)
    }

    /// A block as received. Blocks of meters that have no lane are left out.
    package func add(_ block: SampleBlock) {
        state.withLock { state in
            guard let lane = state.lanes[block.meter] else { return }
            let done = state.columns[lane].add(block)
            state.pending[lane] += done
            state.status.lanes[lane].received += block.samples.count
            if let last = state.sent, ContinuousClock.now - last < .milliseconds(100) { return }
            Self.send(&state)
        }
    }

    /// Changes the status; pages hear of it at once.
    package func update(_ change: (inout LiveStatus) -> Void) {
        state.withLock { state in
            change(&state.status)
            guard let message = Self.statusMessage(state.status) else { return }
            for listener in state.listeners.values { listener.yield(message) }
        }
    }

    package var status: LiveStatus { state.withLock { $0.status } }
    package var listenerCount: Int { state.withLock { $0.listeners.count } }

    /// Everything a page needs from now on, starting with the last minute.
    package func listen() -> AsyncStream<Message> {
        let (stream, continuation) = AsyncStream.makeStream(of: Message.self, bufferingPolicy: .bufferingNewest(256))
        let id = state.withLock { state -> Int in
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            if let message = Self.statusMessage(state.status) { continuation.yield(message) }
            for lane in state.recent.indices where !state.recent[lane].isEmpty {
                continuation.yield(.columns(Self.encode(lane: lane, state.recent[lane], state.columns[lane])))
            }
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { state in _ = state.listeners.removeValue(forKey: id) }
        }
        return stream
    }

    private static func send(_ state: inout State) {
        state.sent = ContinuousClock.now
        for lane in state.pending.indices where !state.pending[lane].isEmpty {
            let columns = state.pending[lane]
            state.pending[lane] = []
            state.recent[lane] += columns
            if state.recent[lane].count > kept { state.recent[lane].removeFirst(state.recent[lane].count - kept) }
            let message = Message.columns(encode(lane: lane, columns, state.columns[lane]))
            for listener in state.listeners.values { listener.yield(message) }
        }
    }

    private static func statusMessage(_ status: LiveStatus) -> Message? {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return (try? encoder.encode(status)).map { .status(String(decoding: $0, as: UTF8.self)) }
    }

    /// Header of 16 bytes, little-endian: lane u32, column width f32 (s), number of the first column i64; then low and
    /// high as f32 per column, W.
    static func encode(lane: Int, _ columns: [LiveColumns.Column], _ layout: LiveColumns) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 + 8 * columns.count)
        func append<I: FixedWidthInteger>(_ value: I) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(UInt32(lane))
        append((Float(layout.columnMilliseconds) / 1000).bitPattern)
        append(columns.first?.index ?? 0)
        for column in columns {
            append(column.lowWatts.bitPattern)
            append(column.highWatts.bitPattern)
        }
        return bytes
    }
}
