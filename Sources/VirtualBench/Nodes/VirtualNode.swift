package import PhaseLink

/// What a virtual node wants done when its time has come.
enum NodeAction: Sendable {
    case load(BoardLoad)
    case line(MarkerEvent)
    case spanBegan(ScheduledPhase, at: Int64)
    case spanEnded(at: Int64, aborted: Bool)
}

/// An FL participant on a virtual Pi: plays its schedule, marks its phases on its own clock, reports telemetry.
///
/// A value-type state machine; the world gives it time and carries out its actions. It is dead while its board sleeps
/// and comes back with a new boot id, a new clock and new processes.
package struct VirtualNode: Sendable {
    /// Where a planned phase stands in host time.
    struct Planned: Sendable {
        var phase: ScheduledPhase
        var begin: Int64
        var end: Int64
    }

    package let truth: NodeTruth
    package private(set) var isAlive = false
    package private(set) var timeLines: [TimeLineTruth] = []
    var plan: [Planned] = []
    /// Where the node answers clock questions; said in the agent's `hello`.
    var udpPort: Int?
    private var planIndex = 0
    private var playing: Playing?
    private var nextTelemetry: Int64 = 0
    private var nextHeartbeat: Int64 = 0
    private var random: SeededGenerator
    private var zero: Int64 = 0
    private var boot = ""
    private var utcMinusHost: Int64
    private var agent = Source()
    private var supernode = Source()
    private var client: Source?
    private var taskSpan: Int64?
    private var receivedBytes = 0.0
    private var sentBytes = 0.0
    private var trafficSince: Int64 = 0
    private var load = BoardLoad.idle

    /// One numbering process.
    private struct Source: Sendable {
        var name = ""
        var pid: Int64 = 0
        var sequence: Int64 = 0
        var spans: Int64 = 0
    }

    private struct Playing: Sendable {
        var phase: ScheduledPhase
        var end: Int64
        var span: Int64?
        var group = 0
        var turn = 0
        var slice = 0
        /// End of the present slice, in seconds after `begin` (kept as a sum so that rounding does not add up).
        var begin: Int64
        var elapsed = 0.0
        var nextChange: Int64 = 0
    }

    package init(truth: NodeTruth, seed: UInt64, utcMinusHost: Int64) {
        self.truth = truth
        random = SeededGenerator(seed: seed, purpose: "node \(truth.name)")
        self.utcMinusHost = utcMinusHost + nanoseconds(truth.wallOffsetSeconds)
    }

    /// The node's CLOCK_MONOTONIC at a host time, ns.
    package func mono(at host: Int64) -> Int64 {
        let since = host - zero
        return since + Int64((Double(since) * truth.clockPPM * 1e-6).rounded())
    }

    package var timeLine: TimeLine { TimeLine(node: truth.name, boot: boot) }

    /// When the plan is played to its end.
    package var planEnd: Int64? { plan.last?.end }

    package var nextEvent: Int64? {
        guard isAlive else { return nil }
        var next = min(nextTelemetry, nextHeartbeat)
        if let playing { next = min(next, playing.nextChange, playing.end) }
        if playing == nil, planIndex < plan.count { next = min(next, plan[planIndex].begin) }
        return next
    }

    /// Adds phases behind what is already planned, not before `notBefore`. Returns when the last one will end.
    @discardableResult
    mutating func enqueue(_ phases: [ScheduledPhase], notBefore: Int64) -> Int64 {
        var at = max(notBefore, plan.last?.end ?? notBefore)
        for phase in phases {
            let end = at + nanoseconds(phase.seconds)
            plan.append(Planned(phase: phase, begin: at, end: end))
            at = end
        }
        if planIndex > 4096 {
            plan.removeFirst(planIndex)
            planIndex = 0
        }
        return at
    }

    /// Forgets what is planned and not yet begun.
    mutating func clearPlan() { plan.removeSubrange(planIndex...) }

    // MARK: life

    /// The board is up and the participant starts.
    mutating func wake(at now: Int64, kernelStartedAt: Int64) -> [NodeAction] {
        isAlive = true
        zero = kernelStartedAt
        boot = hex(random.next() >> 16, digits: 12)
        timeLines.append(
            TimeLineTruth(
                node: truth.name, boot: boot, zeroAtNanoseconds: zero, clockPPM: truth.clockPPM,
                beganAtNanoseconds: now, endedAtNanoseconds: nil))
        agent = newSource()
        supernode = newSource()
        client = nil
        taskSpan = nil
        load = .idle
        (receivedBytes, sentBytes, trafficSince) = (0, 0, now)
        nextTelemetry = now + nanoseconds(random.uniform(0.05, 1) / max(truth.telemetryHertz, 0.01))
        nextHeartbeat = now + nanoseconds(truth.heartbeatSeconds)
        while planIndex < plan.count, plan[planIndex].begin < now { planIndex += 1 }
        return [.load(.idle)] + greet(at: now)
    }

    /// The hellos of the long-lived processes.
    mutating func greet(at now: Int64) -> [NodeAction] {
        let port = udpPort.map { ["udp_port": JSONValue.integer(Int64($0))] } ?? [:]
        return [
            Self.event(
                &agent, .hello(role: "agent", pid: agent.pid, program: "wattbench-agent"), attributes: port,
                stamp(at: now)),
            Self.event(
                &supernode, .hello(role: "supernode", pid: supernode.pid, program: "flower-supernode"),
                stamp(at: now)),
        ]
    }

    /// The board stops running: at once, or with time to say goodbye.
    mutating func die(at now: Int64, cleanly: Bool) -> [NodeAction] {
        guard isAlive else { return [] }
        var actions: [NodeAction] = []
        if playing != nil { actions.append(.spanEnded(at: now, aborted: true)) }
        if cleanly {
            if var process = client { actions.append(Self.bye(&process, stamp(at: now))) }
            actions.append(Self.bye(&supernode, stamp(at: now)))
            actions.append(Self.bye(&agent, stamp(at: now)))
        }
        playing = nil
        isAlive = false
        timeLines[timeLines.count - 1].endedAtNanoseconds = now
        return actions
    }

    /// The participant process is killed; the phase under way ends without a mark, the board idles until the next one.
    mutating func killClient(at now: Int64) -> [NodeAction] {
        guard isAlive, let current = playing, current.phase.process == .client else { return [] }
        playing = nil
        client = nil
        load = .idle
        while planIndex < plan.count, plan[planIndex].phase.kind != PhaseKind.modelDownload { planIndex += 1 }
        return [.spanEnded(at: now, aborted: true), .load(.idle)]
    }

    /// Does what is due at `now`, in order.
    mutating func step(at now: Int64, board: VirtualPi) -> [NodeAction] {
        guard isAlive else { return [] }
        var actions: [NodeAction] = []
        if let current = playing, current.end <= now { end(current, at: now, into: &actions) }
        if playing == nil, planIndex < plan.count, plan[planIndex].begin <= now {
            let planned = plan[planIndex]
            planIndex += 1
            begin(planned, at: now, into: &actions)
        }
        if let current = playing, current.nextChange <= now, current.nextChange < current.end {
            nextSlice(at: now, into: &actions)
        }
        if nextTelemetry <= now {
            actions.append(telemetry(of: board, at: now))
            nextTelemetry += nanoseconds(1 / max(truth.telemetryHertz, 0.01))
        }
        if nextHeartbeat <= now {
            actions.append(Self.event(&agent, .heartbeat, stamp(at: now)))
            actions.append(Self.event(&supernode, .heartbeat, stamp(at: now)))
            nextHeartbeat += nanoseconds(truth.heartbeatSeconds)
        }
        return actions
    }

    // MARK: playing

    private mutating func begin(_ planned: Planned, at now: Int64, into actions: inout [NodeAction]) {
        let phase = planned.phase
        var current = Playing(phase: phase, end: planned.end, begin: now)
        if phase.kind == PhaseKind.appStart {
            var process = newSource()
            supernode.spans += 1
            taskSpan = supernode.spans
            actions.append(
                Self.event(
                    &supernode, mark(.begin, PhaseKind.appWait, span: supernode.spans, round: phase.round),
                    stamp(at: now)))
            actions.append(
                Self.event(
                    &process, .hello(role: "client", pid: process.pid, program: "flwr-clientapp"), stamp(at: now)))
            client = process
        }
        actions.append(.spanBegan(phase, at: now))
        if phase.isMarked {
            let span = withSource(of: phase) { source in
                source.spans += 1
                return source.spans
            }
            current.span = span
            actions.append(
                withSourceEvent(
                    of: phase, mark(.begin, phase.kind, span: span, round: shownRound(phase)),
                    attributes: phase.beginAttributes, at: now))
        }
        playing = current
        startGroup(at: now, into: &actions)
    }

    /// A download does not know its round yet.
    private func shownRound(_ phase: ScheduledPhase) -> Int? {
        phase.kind == PhaseKind.modelDownload ? nil : phase.round
    }

    private mutating func end(_ current: Playing, at now: Int64, into actions: inout [NodeAction]) {
        let phase = current.phase
        if phase.isMarked {
            actions.append(
                withSourceEvent(
                    of: phase, mark(.end, phase.kind, span: current.span, round: shownRound(phase)),
                    attributes: phase.endAttributes, at: now))
        }
        actions.append(.spanEnded(at: now, aborted: false))
        playing = nil
        if phase.process == .client, phase.isMarked, var process = client {
            actions.append(Self.bye(&process, stamp(at: now)))
            client = nil
        }
        if phase.kind == PhaseKind.pollOut, let span = taskSpan {
            actions.append(
                Self.event(&supernode, mark(.end, PhaseKind.appWait, span: span, round: phase.round), stamp(at: now)))
            taskSpan = nil
        }
        let follows = planIndex < plan.count && plan[planIndex].begin <= now
        if !follows {
            account(at: now)
            load = .idle
            actions.append(.load(.idle))
        }
    }

    private mutating func startGroup(at now: Int64, into actions: inout [NodeAction]) {
        guard let current = playing else { return }
        guard let slice = current.phase.groups.first(where: { !$0.slices.isEmpty && $0.repeats > 0 })?.slices.first
        else {
            playing?.nextChange = current.end
            return
        }
        playing?.elapsed = slice.seconds
        playing?.nextChange = current.begin + nanoseconds(slice.seconds)
        account(at: now)
        load = slice.load
        actions.append(.load(slice.load))
    }

    private mutating func nextSlice(at now: Int64, into actions: inout [NodeAction]) {
        guard var current = playing else { return }
        let groups = current.phase.groups
        current.slice += 1
        if current.slice >= groups[current.group].slices.count {
            current.slice = 0
            current.turn += 1
            if current.turn >= groups[current.group].repeats {
                current.turn = 0
                current.group += 1
            }
        }
        guard current.group < groups.count, !groups[current.group].slices.isEmpty else {
            playing?.nextChange = current.end
            return
        }
        let slice = groups[current.group].slices[current.slice]
        current.elapsed += slice.seconds
        current.nextChange = current.begin + nanoseconds(current.elapsed)
        playing = current
        account(at: now)
        load = slice.load
        actions.append(.load(slice.load))
    }

    // MARK: lines

    private mutating func newSource() -> Source {
        let pid = Int64(random.next() % 30_000 + 1000)
        return Source(name: "\(String(pid, radix: 16))-\(hex(random.next() >> 40, digits: 6))", pid: pid)
    }

    private func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
    }

    private func mark(_ edge: MarkerEvent.Edge, _ phase: String, span: Int64?, round: Int?) -> MarkerEvent.Body {
        .mark(MarkerEvent.Mark(edge: edge, phase: phase, span: span, round: round.map(Int64.init)))
    }

    private mutating func withSource<R>(of phase: ScheduledPhase, _ body: (inout Source) -> R) -> R {
        switch phase.process {
        case .agent: return body(&agent)
        case .supernode: return body(&supernode)
        case .client:
            var process = client ?? newSource()
            defer { client = process }
            return body(&process)
        }
    }

    private mutating func withSourceEvent(
        of phase: ScheduledPhase, _ body: MarkerEvent.Body, attributes: [String: JSONValue], at now: Int64
    ) -> NodeAction {
        let stamp = stamp(at: now)
        return withSource(of: phase) { Self.event(&$0, body, attributes: attributes, stamp) }
    }

    /// The two clock readings a line carries, and whose they are.
    private struct Stamp: Sendable {
        var mono: Int64
        var wall: Int64
        var timeLine: TimeLine
    }

    private func stamp(at now: Int64) -> Stamp {
        Stamp(mono: mono(at: now), wall: now + utcMinusHost, timeLine: timeLine)
    }

    private static func event(
        _ source: inout Source, _ body: MarkerEvent.Body, attributes: [String: JSONValue] = [:], _ stamp: Stamp
    ) -> NodeAction {
        source.sequence += 1
        return .line(
            MarkerEvent(
                identity: MarkerIdentity(
                    source: SourceIdentity(timeLine: stamp.timeLine, source: source.name), sequence: source.sequence),
                monoNanoseconds: stamp.mono, wallNanoseconds: stamp.wall, body: body, attributes: attributes))
    }

    private static func bye(_ source: inout Source, _ stamp: Stamp) -> NodeAction {
        event(&source, .bye(last: source.sequence + 1), stamp)
    }

    private mutating func account(at now: Int64) {
        let seconds = Double(now - trafficSince) * 1e-9
        receivedBytes += load.receiveMbitPerSecond * seconds * 125_000
        sentBytes += load.sendMbitPerSecond * seconds * 125_000
        trafficSince = now
    }

    private mutating func telemetry(of board: VirtualPi, at now: Int64) -> NodeAction {
        account(at: now)
        let megahertz = board.effectiveMegahertz
        return Self.event(
            &agent, .telemetry,
            attributes: [
                "soc_temp_c": .number((board.socCelsius * 10 + random.uniform(-3, 3)).rounded() / 10),
                "cpu_mhz": .integer(Int64(megahertz)),
                "vcore_v": .number(coreVoltage(megahertz: megahertz)),
                "util_sum": .number((board.load.utilisation * 1000).rounded() / 1000),
                "rx_bytes": .integer(Int64(receivedBytes)), "tx_bytes": .integer(Int64(sentBytes)),
                "throttled": .integer(Int64(board.throttledWord)),
            ], stamp(at: now))
    }
}
