import NIOCore
import PhaseLink

/// The UDP side: events with repeats, clock requests, and the answers to our own pings.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let intake: MarkerIntake
    private let counters: SharedCounters
    private let exchanger: ClockExchanger
    private let gate: Gate
    private let limits: MarkerLimits
    private let reader: LineReader
    private var waiting = 0

    init(
        intake: MarkerIntake, counters: SharedCounters, exchanger: ClockExchanger, gate: Gate, limits: MarkerLimits
    ) {
        self.intake = intake
        self.counters = counters
        self.exchanger = exchanger
        self.gate = gate
        self.limits = limits
        reader = LineReader(counters: counters, transport: .udp)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let received = HostClock.nowNanoseconds
        let envelope = unwrapInboundIn(data)
        counters.update { $0.datagrams += 1 }
        var splitter = LineSplitter()
        let pieces = splitter.feed(envelope.data.readableBytesView) + splitter.end()
        let peer = PeerAddress(socket: envelope.remoteAddress)
        var isAdmitted = gate.admits(withoutToken: peer)
        var records: [JournalRecord] = []
        for piece in pieces {
            switch reader.read(piece, received: received) {
            case .auth(let token): isAdmitted = isAdmitted || gate.admits(token)
            case .store(let line) where isAdmitted: records.append(.line(line))
            case .answer(let answer) where isAdmitted:
                let reply = AddressedEnvelope(
                    remoteAddress: envelope.remoteAddress, data: ByteBuffer(string: answer.encoded + "\n"))
                context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
            case .pong(let id, let t1, let t2, let t3, let timeLine):
                // Admitted by its id: only who was asked knows it.
                exchanger.answered(id: id, t1: t1, t2: t2, t3: t3, t4: received, timeLine: timeLine)
            case .store, .answer: counters.update { $0.refused += 1 }
            case .skip: break
            }
        }
        if !records.isEmpty { store(records, peer, context) }
    }

    private func store(_ records: [JournalRecord], _ peer: PeerAddress, _ context: ChannelHandlerContext) {
        guard waiting < limits.waitingDatagrams else {
            counters.update { $0.datagramsDropped += 1 }
            return
        }
        waiting += 1
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        Task { [intake, exchanger] in
            // A failure is counted by the intake; nobody waits for an answer to a datagram.
            if (try? await intake.store(records)) != nil { exchanger.learn(records, from: peer) }
            loop.execute { bound.value.waiting -= 1 }
        }
    }
}
