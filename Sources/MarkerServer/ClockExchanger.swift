import NIOCore
import PhaseLink
import Synchronization
import Timebase

/// Asks nodes for their clocks over UDP and hands finished exchanges, raw stamps and all, to storage.
final class ClockExchanger: Sendable {
    private struct Question {
        var timeLine: TimeLine
        var t1: Int64
        var burst: Int64
    }

    private struct State {
        var schedule: ClockSchedule
        var addresses: [String: SocketAddress] = [:]
        var open: [Int64: Question] = [:]
        var burst: Int64
    }

    private let state: Mutex<State>
    private let limits: MarkerLimits
    private let counters: SharedCounters
    private let intake: MarkerIntake
    private let channel = Mutex<(any Channel)?>(nil)

    init(limits: MarkerLimits, counters: SharedCounters, intake: MarkerIntake) {
        self.limits = limits
        self.counters = counters
        self.intake = intake
        // Bursts of a later receiver on the same journal must not share numbers with those of an earlier one.
        state = Mutex(
            State(
                schedule: ClockSchedule(interval: limits.burstIntervalSeconds * 1_000_000_000),
                burst: HostClock.nowNanoseconds))
    }

    func attach(_ channel: any Channel) {
        self.channel.withLock { $0 = channel }
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(100), delay: .milliseconds(100)) { _ in
            self.tick()
        }
    }

    /// Learns from stored lines where answerers are and what the nodes are doing.
    ///
    /// An answerer makes itself known by a `hello` whose `attr.udp_port` names its port, or by a `hello` of role
    /// `agent` that came as a datagram from the answering socket.
    func learn(_ records: [JournalRecord], from peer: PeerAddress) {
        state.withLock { state in
            for record in records {
                switch record {
                case .line(let line):
                    if case .hello(let role, _, _) = line.event.body {
                        let port = line.event.attributes["udp_port"]?.integer.flatMap { Int(exactly: $0) }
                        if let address = Self.answerer(peer, port: port, role: role, line.transport) {
                            state.addresses[line.event.source.node] = address
                            state.schedule.add(line.event.timeLine)
                        }
                    }
                    state.schedule.note(line.event)
                case .closing(let closing): state.schedule.note(closed: closing.source)
                case .clock: break
                }
            }
        }
    }

    private static func answerer(
        _ peer: PeerAddress, port: Int?, role: String?, _ transport: MarkerTransport
    ) -> SocketAddress? {
        guard let socket = peer.socket, let ip = socket.ipAddress else { return nil }
        if let port { return try? SocketAddress(ipAddress: ip, port: port) }
        return transport == .udp && role == "agent" ? socket : nil
    }

    private func tick() {
        let due = state.withLock { state -> [TimeLine] in
            // Questions without answer for more than 2 s are lost.
            let now = HostClock.nowNanoseconds
            state.open = state.open.filter { now - $0.value.t1 < 2_000_000_000 }
            return state.schedule.due(at: now)
        }
        for timeLine in due { startBurst(timeLine) }
    }

    /// One more burst for every quiet node, as after a run. Returns how long to wait for the answers.
    func finalBurst() -> Duration {
        let due = state.withLock { $0.schedule.due(at: HostClock.nowNanoseconds, all: true) }
        for timeLine in due { startBurst(timeLine) }
        return due.isEmpty
            ? .zero : .milliseconds(limits.pingSpacingMilliseconds * Int64(limits.pingsPerBurst) + 300)
    }

    private func startBurst(_ timeLine: TimeLine) {
        guard let channel = channel.withLock({ $0 }) else { return }
        let burst = state.withLock { state in
            state.burst += 1
            return state.burst
        }
        for ping in 0..<limits.pingsPerBurst {
            channel.eventLoop.scheduleTask(in: .milliseconds(limits.pingSpacingMilliseconds * Int64(ping))) {
                self.ask(timeLine, burst, on: channel)
            }
        }
    }

    private func ask(_ timeLine: TimeLine, _ burst: Int64, on channel: any Channel) {
        let question = state.withLock { state -> (id: Int64, t1: Int64, address: SocketAddress)? in
            // A phase may have begun since the burst did.
            guard state.schedule.timeLine(of: timeLine.node) == timeLine, state.schedule.isQuiet(timeLine.node),
                let address = state.addresses[timeLine.node]
            else { return nil }
            let id = Int64.random(in: 1...(1 << 53))
            let t1 = HostClock.nowNanoseconds
            state.open[id] = Question(timeLine: timeLine, t1: t1, burst: burst)
            return (id, t1, address)
        }
        guard let question else { return }
        let line = MarkerLine.ping(id: question.id, t1: question.t1).encoded + "\n"
        channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: question.address, data: ByteBuffer(string: line)), promise: nil)
        counters.update { $0.pingsSent += 1 }
    }

    func answered(id: Int64, t1: Int64, t2: Int64, t3: Int64, t4: Int64, timeLine: TimeLine?) {
        let question = state.withLock { state -> Question? in
            guard let question = state.open[id], question.t1 == t1 else { return nil }
            state.open[id] = nil
            // An answerer that names another boot has a clock of its own that nobody asked for.
            return timeLine == nil || timeLine == question.timeLine ? question : nil
        }
        let stamps = FourStamps(t1: t1, t2: t2, t3: t3, t4: t4)
        guard let question, stamps.roundTripNanoseconds != nil else {
            counters.update { $0.ignored += 1 }
            return
        }
        let exchange = NodeClockExchange(
            timeLine: question.timeLine,
            exchange: FourStampExchange(stamps: stamps, hostAsked: true, burst: question.burst))
        // Counted once it is stored: a count is a promise about the file.
        Task { [intake, counters] in
            guard (try? await intake.store([.clock(exchange)])) != nil else { return }
            counters.update { $0.clockExchanges += 1 }
        }
    }
}
