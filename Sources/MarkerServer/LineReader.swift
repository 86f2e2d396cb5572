import PhaseLink
import Timebase

/// What a receiver shall do with one line.
enum LineAction: Sendable {
    case store(ReceivedLine)
    case answer(MarkerLine)
    case pong(id: Int64, t1: Int64, t2: Int64, t3: Int64, timeLine: TimeLine?)
    case auth(token: String)
    case skip
}

/// Reads lines and counts what cannot be used. Pure but for the counters.
struct LineReader {
    let counters: SharedCounters
    let transport: MarkerTransport

    /// - Parameter received: host clock when the bytes arrived, ns.
    func read(_ piece: LineSplitter.Piece, received: Int64) -> LineAction {
        switch piece {
        case .oversized(let bytes):
            skip(.tooLong(bytes: bytes))
            return .skip
        case .line(let bytes):
            do throws(MarkerLineFailure) {
                return action(for: try MarkerLine(decoding: bytes[...]), bytes, received)
            } catch {
                skip(error)
                return .skip
            }
        }
    }

    private func skip(_ failure: MarkerLineFailure) {
        counters.update {
            if case .tooLong = failure { $0.oversized += 1 } else { $0.unparsable += 1 }
            $0.lastSkipReason = failure.description
        }
    }

    private func action(for line: MarkerLine, _ bytes: [UInt8], _ received: Int64) -> LineAction {
        switch line {
        case .event(let event):
            // The scanner has proven the bytes to be UTF-8.
            return .store(
                ReceivedLine(
                    event: event, raw: String(decoding: bytes, as: UTF8.self), receivedAtNanoseconds: received,
                    transport: transport))
        case .ping(let id, let t1):
            return .answer(
                .pong(id: id, t1: t1, t2: received, t3: HostClock.nowNanoseconds, timeLine: nil))
        case .syncRequest(let id, let t1):
            return .answer(.syncResponse(id: id, t1: t1, t2: received, t3: HostClock.nowNanoseconds))
        case .pong(let id, let t1, let t2, let t3, let timeLine):
            return .pong(id: id, t1: t1, t2: t2, t3: t3, timeLine: timeLine)
        case .auth(let token): return .auth(token: token)
        case .ack, .syncResponse, .refused, .unknown:
            counters.update { $0.ignored += 1 }
            return .skip
        }
    }
}

/// The token peers from beyond loopback must send first.
struct Gate: Sendable {
    let token: String?

    func admits(withoutToken address: PeerAddress) -> Bool { address.isLoopback }

    /// Takes the same time whatever the first wrong character is.
    func admits(_ offered: String) -> Bool {
        guard let token else { return false }
        let (a, b) = (Array(offered.utf8), Array(token.utf8))
        var difference = UInt8(a.count == b.count ? 0 : 1)
        for index in b.indices { difference |= b[index] ^ (index < a.count ? a[index] : 0) }
        return difference == 0
    }
}
