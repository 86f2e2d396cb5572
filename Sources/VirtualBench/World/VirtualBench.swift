import Foundation

/// A bench without hardware, of known truth: meters, boards, lines and nodes.
///
///     let bench = VirtualBench(BenchDescription(boards: 10, seed: 7, clock: .real))
///     let bus = bench.makeBus()                       // any MeterBus: hand it to the driver's bus thread
///     let lines = bench.lines                         // any GPIOLines: hand it to the board controller
///     try bench.connectNodes(host: "127.0.0.1", port: markerPort)
///     bench.play([.step(megahertz: 1500, cores: 4, seconds: 30)], on: "edge-1")
///     …
///     bench.stop()
///     try bench.writeTruth(to: directory)
///
/// With `clock: .virtual` time passes only in the bus's `wait` and in `run(forSeconds:)`.
package final class VirtualBench: Sendable {
    package let description: BenchDescription
    package let world: VirtualWorld
    package let lines: VirtualLines
    private let link: NodeLinkBox

    /// - Parameters:
    ///   - boardTruths, meterTruths, nodeTruths: given truths instead of drawn ones; each refers to its board by name.
    package init(
        _ description: BenchDescription, boardTruths: [BoardTruth]? = nil, meterTruths: [MeterTruth]? = nil,
        nodeTruths: [NodeTruth]? = nil
    ) {
        self.description = description
        let seed = description.seed
        let origin = description.clock == .real ? VirtualWorld.monotonicNanoseconds() : 1_000_000_000_000
        let utc =
            description.clock == .real ? Int64(Date().timeIntervalSince1970 * 1e9) : 1_795_424_745_000_000_000
        let ideal = description.isIdeal
        let count = max(0, description.boards)
        let boards =
            boardTruths
            ?? (0..<count).map {
                let name = BenchDescription.boardName($0)
                return ideal ? BoardTruth(name: name) : BoardTruth(name: name, seed: seed)
            }
        var meters =
            meterTruths
            ?? boards.indices.map {
                let serial = BenchDescription.serial($0)
                let board = boards[$0].name
                return ideal
                    ? MeterTruth(serial: serial, model: description.model, board: board)
                    : MeterTruth(serial: serial, model: description.model, board: board, seed: seed)
            }
        let nodes =
            nodeTruths
            ?? boards.indices.map {
                let name = BenchDescription.nodeName($0)
                let board = boards[$0].name
                return ideal ? NodeTruth(name: name, board: board) : NodeTruth(name: name, board: board, seed: seed)
            }
        var faults: [Fault] = []
        for fault in description.faults {
            switch fault.kind {
            case .duplicateSerial:
                if let index = meters.indices.last(where: { fault.target == nil || meters[$0].serial == fault.target }),
                    let first = meters.first
                {
                    meters[index].serial = first.serial
                }
            case .emptySerial:
                if let index = meters.indices.last(where: { fault.target == nil || meters[$0].serial == fault.target })
                {
                    meters[index].serial = ""
                }
            default: faults.append(fault)
            }
        }
        var state = WorldState(
            origin: origin,
            boards: boards.map {
                VirtualPi(truth: $0, seed: seed, beginning: origin, state: description.initialState)
            },
            meters: meters.enumerated().map { index, truth in
                var meter = EmulatedMeter(truth: truth, seed: seed &+ UInt64(index), poweredAt: origin)
                meter.recordsSamples = description.recordsSamples
                return meter
            },
            nodes: nodes.map { VirtualNode(truth: $0, seed: seed, utcMinusHost: utc - origin) }, faults: faults,
            metersPerHub: description.metersPerHub)
        if let schedule = description.schedule {
            let lists = schedule.phases(nodes: nodes.count, seed: seed)
            for (n, list) in lists.enumerated() {
                state.nodes[n].enqueue(list, notBefore: origin + nanoseconds(description.scheduleDelaySeconds))
            }
        }
        world = VirtualWorld(mode: description.clock, state: state)
        lines = VirtualLines(world: world)
        link = NodeLinkBox(world: world)
    }

    /// A bus over all meters of the bench. One at a time; it belongs to the thread that waits on it.
    package func makeBus() -> VirtualMeterBus { VirtualMeterBus(world: world) }

    /// Connects every node to a marker receiver: TCP lines with acknowledgement, and UDP for clock exchange.
    package func connectNodes(host: String, port: Int, token: String? = nil) throws(VirtualBenchFailure) {
        try link.start(host: host, port: port, token: token)
    }

    /// Ends the nodes' connections (after a last flush) and the bench's threads. Boards and meters stay.
    package func stop() { link.stop() }

    /// Lines that no receiver has acknowledged yet; nil if the nodes are not connected.
    package var unacknowledgedLines: Int? { link.unacknowledged }

    // MARK: telling the nodes what to do

    /// Puts phases behind a node's plan (not before `notBefore`, host ns; default now). Returns when the last one ends.
    @discardableResult
    package func play(_ phases: [ScheduledPhase], on node: String, notBefore: Int64? = nil) -> Int64? {
        defer { world.notify() }
        return world.present { state in
            guard let n = state.nodes.firstIndex(where: { $0.truth.name == node }) else { return nil }
            return state.nodes[n].enqueue(phases, notBefore: notBefore ?? state.now)
        }
    }

    /// FedAvg rounds over all nodes from `notBefore` on. Returns when the last phase ends.
    @discardableResult
    package func play(_ schedule: FedAvgSchedule, seed: UInt64, notBefore: Int64? = nil) -> Int64 {
        defer { world.notify() }
        return world.present { state in
            let lists = schedule.phases(nodes: state.nodes.count, seed: seed)
            let start = max(notBefore ?? state.now, state.nodes.compactMap(\.planEnd).max() ?? state.now)
            var end = start
            for (n, list) in lists.enumerated() { end = max(end, state.nodes[n].enqueue(list, notBefore: start)) }
            return end
        }
    }

    /// When the last planned phase of any node ends, host ns.
    package var planEnd: Int64? { world.present { state in state.nodes.compactMap(\.planEnd).max() } }

    /// Carries out a fault now.
    package func inject(_ fault: Fault) {
        world.present { state in
            let names =
                switch fault.kind.target {
                case .meter: state.meters.map(\.truth.serial)
                case .board: state.boards.map(\.truth.name)
                case .node: state.nodes.map(\.truth.name)
                }
            for (index, name) in names.enumerated() where fault.target == nil || fault.target == name {
                state.inject(fault, target: index)
            }
        }
        world.notify()
    }

    // MARK: truth, live

    /// What the nodes said since the last call, by node name. For use without a receiver; a connected bench has none.
    package func takeNodeOutputs() -> [(node: String, output: NodeOutput)] {
        world.present { state in
            defer { state.outputs = [] }
            return state.outputs.map { (state.nodes[$0.node].truth.name, $0.output) }
        }
    }

    package func boardState(_ name: String) -> PowerState? {
        world.present { state in state.boards.first { $0.truth.name == name }?.state }
    }

    /// Frames that no host may send, seen by the meters. A test fails if there is one.
    package var violations: [Violation] { world.present { state in state.meters.flatMap(\.violations) } }

    /// Energy and charge of a board from the beginning of the bench until now.
    package func totals(ofBoard name: String) -> PowerTotals? {
        world.present { state in
            guard let b = state.boards.firstIndex(where: { $0.truth.name == name }) else { return nil }
            state.boards[b].advance(to: state.now)
            return state.boards[b].trace.totals(at: state.now)
        }
    }
}

/// What can go wrong with a virtual bench itself.
package enum VirtualBenchFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case noAddress(host: String)
    case socket(what: String, errno: Int32)
    case file(path: String, reason: String)
    case faultScript(file: String, line: Int?, reason: String)
    case notLoopback(host: String)
    case attach(String)

    package var description: String {
        switch self {
        case .noAddress(let host): "No IPv4 address is known for '\(host)'. Give a number such as 127.0.0.1."
        case .socket(let what, let code): "\(what): the system answered error \(code) (\(errorText(code)))."
        case .file(let path, let reason): "\(path): \(reason)"
        case .faultScript(let file, let line, let reason): "\(file):\(line.map { "\($0):" } ?? "") \(reason)"
        case .notLoopback(let host):
            "'\(host)' is not a loopback address: whoever reaches it can talk to the emulated meters without a "
                + "password. Use 127.0.0.1, or add --allow-remote if the network is trusted."
        case .attach(let reason): reason
        }
    }
}

func errorText(_ code: Int32) -> String { String(cString: strerror(code)) }
