import MeterProtocol
package import PhaseLink

/// What the nodes have to say to the outside.
package enum NodeOutput: Sendable {
    case line(MarkerEvent)
    /// Up again: new boot, new connection.
    case woke
    /// Stopped; `cleanly` = processes were ended in order, else the machine just fell silent.
    case died(cleanly: Bool)
    /// The connection breaks although the node lives.
    case connectionDropped
}

/// The whole virtual bench as one value: boards, meters with their ports, nodes, faults, in one simulated time.
///
/// A discrete-event simulation: `advance(to:)` carries out everything due, in order of time. Signals are evaluated lazily.
struct WorldState: Sendable {
    static let housekeepingNanoseconds: Int64 = 200_000_000
    /// Bulk bytes that one transaction translator carries, ns a byte (about 1.2 MB/s).
    static let busNanosecondsPerByte = 833.0

    static let outputLimit = 50_000

    let origin: Int64
    var now: Int64
    var boards: [VirtualPi]
    var meters: [EmulatedMeter]
    var ports: [USBPort]
    var nodes: [VirtualNode]
    let boardOfMeter: [Int]
    let boardOfNode: [Int]
    let hubOfMeter: [Int]
    private var hubFreeAt: [Int64]
    private var faults: FaultEngine
    private var lastSamples: [[UInt8]]
    private var pending: [(at: Int64, action: Relief, target: Int)] = []
    private var nextHousekeeping: Int64
    private var transitionsSeen: [Int]
    private var openSpans: [(phase: ScheduledPhase, begin: Int64, totals: PowerTotals)?]
    /// Counts arrivals and removals on the virtual bus.
    var topology = 0
    var spans: [SpanTruth] = []
    var faultRecords: [FaultRecord] = []
    var outputs: [(node: Int, output: NodeOutput)] = []
    var samplesLostInTransit: [Int]

    /// End of a fault that lasts.
    private enum Relief { case supply, throttle }

    init(
        origin: Int64, boards: [VirtualPi], meters: [EmulatedMeter], nodes: [VirtualNode], faults: [Fault],
        metersPerHub: Int
    ) {
        self.origin = origin
        now = origin
        self.boards = boards
        self.meters = meters
        self.nodes = nodes
        let names = boards.map(\.truth.name)
        boardOfMeter = meters.map { meter in names.firstIndex(of: meter.truth.board) ?? 0 }
        boardOfNode = nodes.map { node in names.firstIndex(of: node.truth.board) ?? 0 }
        hubOfMeter = meters.indices.map { $0 / max(1, metersPerHub) }
        hubFreeAt = [Int64](repeating: 0, count: meters.count / max(1, metersPerHub) + 1)
        ports = meters.map { meter in USBPort(staleFrame: meter.truth.staleFrameAtStart ? [0x03, 0x06, 0, 0] : nil) }
        self.faults = FaultEngine(
            faults: faults, origin: origin, meters: meters.map(\.truth.serial), boards: names,
            nodes: nodes.map(\.truth.name))
        lastSamples = meters.map { _ in [] }
        samplesLostInTransit = meters.map { _ in 0 }
        nextHousekeeping = origin + Self.housekeepingNanoseconds
        transitionsSeen = boards.map { _ in 0 }
        openSpans = nodes.map { _ in nil }
        for n in nodes.indices where boards[boardOfNode[n]].state == .running { wakeNode(n, at: origin) }
    }

    // MARK: time

    /// The earliest moment at which anything will happen by itself.
    func nextEvent(includingCompletions: Bool) -> Int64 {
        var next = nextHousekeeping
        for board in boards { if let e = board.nextEvent, e < next { next = e } }
        for node in nodes { if let e = node.nextEvent, e < next { next = e } }
        for meter in meters { if let e = meter.nextEvent, e < next { next = e } }
        for port in ports {
            if let e = port.nextEvent, e < next { next = e }
            if includingCompletions, let e = port.completions.first?.atNanoseconds, e < next { next = e }
        }
        if let e = faults.nextEvent, e < next { next = e }
        for relief in pending where relief.at < next { next = relief.at }
        return next
    }

    var hasDueCompletion: Bool {
        ports.contains { port in port.completions.first.map { $0.atNanoseconds <= now } ?? false }
    }

    /// Carries out everything up to `time`; with `stopping` set, only until a transfer is over.
    mutating func advance(to time: Int64, stoppingAtCompletion stopping: Bool = false) {
        guard time >= now else { return }
        while true {
            if stopping, hasDueCompletion { return }
            let event = nextEvent(includingCompletions: stopping)
            guard event <= time else { break }
            now = max(now, event)
            process()
        }
        now = time
    }

    private mutating func process() {
        relieve()
        for (fault, target) in faults.due(at: now) { carryOut(fault, target: target) }
        for b in boards.indices {
            if let e = boards[b].nextEvent, e <= now { boards[b].advance(to: now) }
        }
        followTransitions()
        for n in nodes.indices {
            while let e = nodes[n].nextEvent, e <= now { stepNode(n) }
        }
        for m in meters.indices {
            if let e = meters[m].nextEvent, e <= now { advanceMeter(m) }
            let port = ports[m]
            guard let e = port.nextEvent, e <= now else { continue }
            if let replug = port.replugAt, replug <= now { plug(m) }
            for frame in ports[m].advance(to: now) { deliver(frame, meter: m) }
        }
        if nextHousekeeping <= now {
            nextHousekeeping += Self.housekeepingNanoseconds
            for b in boards.indices { boards[b].advance(to: now) }
            for m in meters.indices { advanceMeter(m) }
            // Nobody listens to the nodes: forget the oldest rather than grow for days.
            if outputs.count > Self.outputLimit { outputs.removeFirst(outputs.count - Self.outputLimit / 2) }
        }
    }

    // MARK: boards and nodes

    /// Tells the nodes of a board what became of it.
    mutating func followTransitions() {
        for b in boards.indices {
            while transitionsSeen[b] < boards[b].transitions.count {
                let transition = boards[b].transitions[transitionsSeen[b]]
                transitionsSeen[b] += 1
                for n in nodes.indices where boardOfNode[n] == b {
                    if transition.to == .running {
                        wakeNode(n, at: transition.atNanoseconds)
                    } else {
                        killNode(n, cleanly: transition.to == .shuttingDown)
                    }
                }
            }
        }
    }

    private mutating func wakeNode(_ n: Int, at time: Int64) {
        outputs.append((n, .woke))
        perform(nodes[n].wake(at: time, kernelStartedAt: boards[boardOfNode[n]].kernelStartedAt), node: n)
    }

    /// The node's clock answers on this UDP port: said in every `hello` from now on, and at once if it is up.
    mutating func announce(udpPort: Int, node n: Int) {
        nodes[n].udpPort = udpPort
        // What the node said before anybody listened: its first hello has to name the port.
        if nodes[n].isAlive { perform(nodes[n].greet(at: now), node: n) }
    }

    private mutating func killNode(_ n: Int, cleanly: Bool) {
        guard nodes[n].isAlive else { return }
        perform(nodes[n].die(at: now, cleanly: cleanly), node: n)
        outputs.append((n, .died(cleanly: cleanly)))
    }

    private mutating func stepNode(_ n: Int) {
        boards[boardOfNode[n]].advance(to: now)
        perform(nodes[n].step(at: now, board: boards[boardOfNode[n]]), node: n)
    }

    private mutating func perform(_ actions: [NodeAction], node n: Int) {
        let b = boardOfNode[n]
        for action in actions {
            switch action {
            case .load(let load): boards[b].setLoad(load, at: now)
            case .line(let event): outputs.append((n, .line(event)))
            case .spanBegan(let phase, let at):
                boards[b].advance(to: at)
                openSpans[n] = boards[b].trace.totals(at: at).map { (phase, at, $0) }
            case .spanEnded(let at, let aborted):
                boards[b].advance(to: at)
                guard let open = openSpans[n], let totals = boards[b].trace.totals(at: at) else { continue }
                openSpans[n] = nil
                spans.append(
                    SpanTruth(
                        node: nodes[n].truth.name, board: boards[b].truth.name, kind: open.phase.kind,
                        round: open.phase.round, beginNanoseconds: open.begin, endNanoseconds: at,
                        isMarked: open.phase.isMarked, isAborted: aborted, energy: totals - open.totals,
                        attributes: open.phase.beginAttributes.mapValues(\.text)))
            }
        }
    }

    // MARK: meters

    private mutating func advanceMeter(_ m: Int) {
        boards[boardOfMeter[m]].advance(to: now)
        let frames = meters[m].advance(to: now, signal: boards[boardOfMeter[m]].trace)
        for frame in frames { queue(frame, meter: m) }
    }

    /// The host submits an OUT transfer now.
    mutating func submitOut(_ frame: [UInt8], meter m: Int, token: UInt64) {
        if let arrived = ports[m].submitOut(frame, token: token, at: now) { deliver(arrived, meter: m) }
    }

    private mutating func deliver(_ frame: [UInt8], meter m: Int) {
        if let trigger = Self.trigger(of: frame) {
            for (fault, target) in faults.notice(trigger, meter: m) { carryOut(fault, target: target) }
        }
        guard ports[m].isPlugged, ports[m].frozenUntil == nil else { return }
        let b = boardOfMeter[m]
        boards[b].advance(to: now)
        for reply in meters[m].handle(frame, at: now, signal: boards[b].trace) { distortAndQueue(reply, meter: m) }
    }

    /// Bytes on a meter's serial interface: a real one may change its output voltage because of them.
    mutating func reportSerialText(_ bytes: [UInt8], meter m: Int) {
        meters[m].violations.append(
            Violation(
                meter: meters[m].truth.serial, atNanoseconds: now,
                text: "\(bytes.count) bytes on the serial interface (\(bytes.prefix(16).map { String($0, radix: 16) }))"
            ))
    }

    private static func trigger(of frame: [UInt8]) -> FaultTrigger? {
        switch frame.first {
        case 0x02: .connect
        case 0x03: .disconnect
        case 0x0C: .getData
        case 0x0E: .startGraph
        case 0x0F: .stopGraph
        case 0x44: .memoryRead
        case 0x4C: .auth
        default: nil
        }
    }

    /// A host opens the meter. Throws what stands in the way.
    mutating func open(meter m: Int) throws(BusFailure) {
        for (fault, target) in faults.notice(.open, meter: m) { carryOut(fault, target: target) }
        guard ports[m].isPlugged else { throw .noDevice }
        if let blocked = ports[m].blockedOpen, blocked.until > now { throw blocked.failure }
        ports[m].blockedOpen = nil
    }

    private mutating func distortAndQueue(_ frame: TimedFrame, meter m: Int) {
        let carries = FrameFaults.carriesSamples(frame.bytes)
        var frame = frame
        guard let fault = faults.take(forReplyOf: m, carriesSamples: carries) else {
            if carries { lastSamples[m] = Array(frame.bytes[8...]) }
            return queue(frame, meter: m)
        }
        faultRecords.append(
            FaultRecord(kind: fault.kind, target: meters[m].truth.serial, atNanoseconds: now))
        if fault.kind == .lateReply { frame.delay += Int64(fault.delayMilliseconds * 1e6) }
        if carries, [.lostReply, .shortReply, .wrongSize, .lateReply].contains(fault.kind) {
            samplesLostInTransit[m] += FrameFaults.sampleCount(frame.bytes)
        }
        let distorted = FrameFaults.distort(
            frame.bytes, kind: fault.kind, samples: fault.samples, last: lastSamples[m],
            counter: meters[m].ownCounter)
        if carries { lastSamples[m] = Array(frame.bytes[8...]) }
        for bytes in distorted { queue(TimedFrame(bytes: bytes, delay: frame.delay), meter: m) }
    }

    /// Puts a frame into the meter's FIFO; frames of one hub wait for each other on its transaction translator.
    private mutating func queue(_ frame: TimedFrame, meter m: Int) {
        let hub = hubOfMeter[m]
        let start = max(now + frame.delay, hubFreeAt[hub])
        let bytes = Double(frame.bytes.count)
        if frame.delay < 10_000_000 { hubFreeAt[hub] = start + Int64(bytes * Self.busNanosecondsPerByte) }
        ports[m].queue(
            frame.bytes, readyAt: start + Int64(bytes * meters[m].truth.replyMicrosecondsPerByte * 1000))
        _ = ports[m].advance(to: now)
    }

    private mutating func plug(_ m: Int) {
        ports[m].plug()
        topology += 1
    }

    // MARK: faults

    private mutating func relieve() {
        let due = pending.filter { $0.at <= now }
        guard !due.isEmpty else { return }
        pending.removeAll { $0.at <= now }
        for relief in due {
            switch relief.action {
            case .supply: boards[relief.target].setSourceOffset(0, at: now)
            case .throttle: boards[relief.target].forceThrottle(false, at: now)
            }
        }
    }

    /// A fault from outside: reply faults wait for the next fitting reply, the others happen now.
    mutating func inject(_ fault: Fault, target: Int) {
        if fault.kind.actsOnReply { faults.arm(fault, target: target) } else { carryOut(fault, target: target) }
    }

    mutating func carryOut(_ fault: Fault, target t: Int) {
        let until = now + nanoseconds(fault.durationSeconds)
        let name: String
        switch fault.kind.target {
        case .meter:
            name = meters[t].truth.serial
            troubleMeter(fault, meter: t, until: until)
        case .board:
            name = boards[t].truth.name
            switch fault.kind {
            case .undervoltage:
                boards[t].setSourceOffset(-fault.volts, at: now)
                pending.append((until, .supply, t))
            case .throttle:
                boards[t].forceThrottle(true, at: now)
                pending.append((until, .throttle, t))
            default:
                let wake = WakeFault(rawValue: fault.kind.rawValue) ?? .ignored
                boards[t].wakeFaults += [WakeFault](repeating: wake, count: fault.count)
            }
        case .node:
            name = nodes[t].truth.name
            if fault.kind == .nodeKill {
                perform(nodes[t].killClient(at: now), node: t)
            } else {
                outputs.append((t, .connectionDropped))
            }
        }
        faultRecords.append(FaultRecord(kind: fault.kind, target: name, atNanoseconds: now))
    }

    private mutating func troubleMeter(_ fault: Fault, meter m: Int, until: Int64) {
        advanceMeter(m)
        switch fault.kind {
        case .pollGap, .hostSilence: ports[m].frozenUntil = until
        case .inputOutput: ports[m].failReads(.inputOutput, at: now, losingData: true)
        case .overflow: ports[m].failReads(.overflow, at: now, losingData: true)
        case .stall: ports[m].halt(at: now)
        case .unplug:
            ports[m].unplug(at: now, replugAt: until)
            meters[m].reboot(at: now, keepUptime: fault.keepsUptime)
            topology += 1
        case .reboot: meters[m].reboot(at: now, keepUptime: false)
        case .sessionDrop: queue(meters[m].endSession(), meter: m)
        case .busy: ports[m].blockedOpen = (.busy(holder: "powerz"), until)
        case .forbidden: ports[m].blockedOpen = (.forbidden, until)
        case .rejectStart: meters[m].rejectStarts += fault.on == nil ? fault.count : 1
        case .authRefused: meters[m].refuseAuths += fault.on == nil ? fault.count : 1
        case .authLevelZero: meters[m].levelZeroAuths += fault.on == nil ? fault.count : 1
        default: break
        }
    }
}
