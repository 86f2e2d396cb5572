import Foundation
import PhaseLink
import Synchronization

/// Carries the nodes' lines to a marker receiver as real nodes do: one TCP connection a node, lines sent again until they
/// are acknowledged, and clock questions answered over UDP on the node's own clock.
///
/// One thread for all nodes. On a board that was cut off the connection stays open and silent, as a dead machine leaves it.
final class NodeLinkBox: Sendable {
    private let world: VirtualWorld
    private let pipe = WakePipe()
    private struct Control: Sendable {
        var isRunning = false
        var stopRequested = false
        var unacknowledged: Int?
        var finished: DispatchSemaphore?
    }
    private let control = Mutex(Control())

    init(world: VirtualWorld) { self.world = world }

    var unacknowledged: Int? { control.withLock { $0.unacknowledged } }

    func start(host: String, port: Int, token: String?) throws(VirtualBenchFailure) {
        let address = try SocketAddress4(resolving: host, port: port)
        let names = world.present { $0.nodes.map(\.truth.name) }
        var ports: [NodePort] = []
        for index in names.indices { ports.append(try NodePort(node: index, receiver: address, token: token)) }
        let udpPorts = ports.map(\.udpPort)
        let alreadyRunning = control.withLock { control -> Bool in
            if control.isRunning { return true }
            control.isRunning = true
            control.finished = DispatchSemaphore(value: 0)
            return false
        }
        guard !alreadyRunning else { return }
        world.addWaker(pipe)
        world.present { state in for n in state.nodes.indices { state.announce(udpPort: udpPorts[n], node: n) } }
        let loop = NodeLinkLoop(world: world, pipe: pipe, ports: ports)
        let thread = Thread { [self] in
            while !control.withLock({ $0.stopRequested }) {
                loop.turn()
                control.withLock { $0.unacknowledged = loop.unacknowledged }
            }
            loop.finish()
            control.withLock { $0.unacknowledged = loop.unacknowledged }
            control.withLock { $0.finished }?.signal()
        }
        thread.name = "virtual nodes"
        thread.start()
    }

    func stop() {
        let finished = control.withLock { control -> DispatchSemaphore? in
            guard control.isRunning, !control.stopRequested else { return nil }
            control.stopRequested = true
            return control.finished
        }
        guard let finished else { return }
        pipe.wake()
        finished.wait()
    }
}

/// The loop of the nodes' thread. Made on the thread that starts it, used only on its own afterwards.
// @unchecked: handed over once, before the thread starts; never touched by two threads.
final class NodeLinkLoop: @unchecked Sendable {
    private let world: VirtualWorld
    private let pipe: WakePipe
    private var ports: [NodePort]
    private static let longestSleep: Int64 = 20_000_000

    init(world: VirtualWorld, pipe: WakePipe, ports: [NodePort]) {
        self.world = world
        self.pipe = pipe
        self.ports = ports
    }

    var unacknowledged: Int { ports.reduce(0) { $0 + $1.unacknowledgedCount } }

    /// One round: collect what the nodes say, send, receive, sleep until something is due.
    func turn() {
        let (outputs, now, next) = world.present { state -> ([(node: Int, output: NodeOutput)], Int64, Int64) in
            defer { state.outputs = [] }
            return (state.outputs, state.now, state.nextEvent(includingCompletions: false))
        }
        for (node, output) in outputs { ports[node].take(output) }
        let clock = VirtualWorld.monotonicNanoseconds()
        var descriptors = [pollfd(fd: pipe.readEnd, events: Int16(POLLIN), revents: 0)]
        for index in ports.indices {
            ports[index].pump(now: clock)
            descriptors += ports[index].descriptors
        }
        let sleep = world.mode == .real ? max(0, min(next - now, Self.longestSleep)) : 5_000_000
        // Rounded up: a turn too early would only find nothing to do.
        _ = poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: (sleep + 999_999) / 1_000_000))
        _ = pipe.drain()
        for index in ports.indices {
            ports[index].receive()
            answerQuestions(of: index)
        }
    }

    /// Sends what is left for up to two seconds and closes.
    func finish() {
        let limit = VirtualWorld.monotonicNanoseconds() + 2_000_000_000
        while unacknowledged > 0, VirtualWorld.monotonicNanoseconds() < limit { turn() }
        for index in ports.indices { ports[index].close() }
    }

    private func answerQuestions(of index: Int) {
        while let question = ports[index].receiveQuestion() {
            guard case .ping(let id, let t1) = question.line else { continue }
            let answer = world.present { state -> MarkerLine? in
                let node = state.nodes[index]
                guard node.isAlive else { return nil }
                let stamp = node.mono(at: state.now)
                return .pong(id: id, t1: t1, t2: stamp, t3: stamp, timeLine: node.timeLine)
            }
            if let answer { ports[index].reply(answer.encoded, to: question.sender) }
        }
    }
}
