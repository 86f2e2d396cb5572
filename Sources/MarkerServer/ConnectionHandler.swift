import NIOCore
import PhaseLink

/// One TCP connection of a node: reads a batch, has it stored, acknowledges it, and only then reads on.
///
/// Never more than one batch is in memory, so a fast or malicious peer is slowed down by its own socket, and a peer
/// that does not read its acknowledgements is not read from either.
final class ConnectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let intake: MarkerIntake
    private let counters: SharedCounters
    private let exchanger: ClockExchanger
    private let gate: Gate
    private let limits: MarkerLimits
    private let reader: LineReader

    private var context: ChannelHandlerContext?
    private var splitter = LineSplitter()
    private var batch: [JournalRecord] = []
    private var batchBytes = 0
    private var isAdmitted = false
    private var isStoring = false
    private var inputEnded = false
    /// Sources heard on this connection that have not said `bye`.
    private var openSources: Set<SourceIdentity> = []
    private var authDeadline: Scheduled<Void>?

    init(
        intake: MarkerIntake, counters: SharedCounters, exchanger: ClockExchanger, gate: Gate, limits: MarkerLimits
    ) {
        self.intake = intake
        self.counters = counters
        self.exchanger = exchanger
        self.gate = gate
        self.limits = limits
        reader = LineReader(counters: counters, transport: .tcp)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        isAdmitted = gate.admits(withoutToken: PeerAddress(socket: context.remoteAddress))
        counters.update {
            $0.connections += 1
            $0.openConnections += 1
        }
        if counters.snapshot.openConnections > limits.connections {
            refuse(context, "too many connections")
        } else if !isAdmitted {
            let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
            authDeadline = context.eventLoop.scheduleTask(in: .seconds(limits.authSeconds)) {
                guard let context = bound.value.context else { return }
                bound.value.refuse(context, "no token came in \(bound.value.limits.authSeconds) s")
            }
        }
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let received = HostClock.nowNanoseconds
        let bytes = unwrapInboundIn(data)
        batchBytes += bytes.readableBytes
        take(splitter.feed(bytes.readableBytesView), received, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { proceed(context) }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { proceed(context) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case ChannelEvent.inputClosed = event {
            // The peer will send no more but may wait for its last acknowledgement.
            endInput(context)
            proceed(context)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        authDeadline?.cancel()
        endInput(context)
        self.context = nil
        counters.update { $0.openConnections -= 1 }
        if !isStoring { storeRest() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Resets and the like: the closing is what counts, and it follows.
        context.close(promise: nil)
    }

    private func endInput(_ context: ChannelHandlerContext) {
        guard !inputEnded else { return }
        inputEnded = true
        let now = HostClock.nowNanoseconds
        take(splitter.end(), now, context)
        for source in openSources { batch.append(.closing(ConnectionClosing(source: source, atNanoseconds: now))) }
    }

    private func take(_ pieces: [LineSplitter.Piece], _ received: Int64, _ context: ChannelHandlerContext) {
        for piece in pieces {
            let action = reader.read(piece, received: received)
            if !isAdmitted {
                guard case .auth(let token) = action, gate.admits(token) else {
                    refuse(context, "send {\"t\":\"auth\",\"token\":…} as the first line")
                    return
                }
                isAdmitted = true
                authDeadline?.cancel()
                continue
            }
            switch action {
            case .store(let line):
                if case .bye = line.event.body {
                    openSources.remove(line.event.source)
                } else {
                    openSources.insert(line.event.source)
                }
                batch.append(.line(line))
            case .answer(let answer): write(answer, context)
            case .pong, .auth, .skip: break
            }
        }
    }

    /// Stores what was read, or reads on.
    private func proceed(_ context: ChannelHandlerContext) {
        guard !isStoring else { return }
        if !batch.isEmpty {
            storeBatch(context)
        } else if inputEnded {
            context.close(promise: nil)
        } else {
            batchBytes = 0
            if context.channel.isWritable { context.read() }
        }
    }

    private func storeBatch(_ context: ChannelHandlerContext) {
        isStoring = true
        let records = batch
        batch = []
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loop = context.eventLoop
        let peer = PeerAddress(socket: context.remoteAddress)
        Task { [intake, exchanger] in
            do {
                try await intake.store(records)
                exchanger.learn(records, from: peer)
                loop.execute { bound.value.stored(records) }
            } catch {
                loop.execute { bound.value.failed() }
            }
        }
    }

    private func stored(_ records: [JournalRecord]) {
        isStoring = false
        guard let context else {
            storeRest()
            return
        }
        // The number stored last from this connection, not "all up to": after a restart of the receiver older
        // numbers may be known or lost for good, and a sender must not wait for them. Last in order of arrival, not the
        // highest: an agent may carry a source's late lines behind its newer ones.
        var last: [(source: String, sequence: Int64)] = []
        for case .line(let line) in records {
            let source = line.event.source.source
            if let index = last.lastIndex(where: { $0.source == source }) {
                last[index].sequence = line.event.identity.sequence
            } else {
                last.append((source, line.event.identity.sequence))
            }
        }
        for ack in last { write(.ack(source: ack.source, sequence: ack.sequence), context) }
        counters.update { $0.acksSent += last.count }
        proceed(context)
    }

    /// Nothing is acknowledged; the sender comes back with everything it still holds.
    private func failed() {
        isStoring = false
        context?.close(promise: nil)
    }

    /// The connection is gone; what it sent is still to be kept.
    private func storeRest() {
        let records = batch
        batch = []
        guard !records.isEmpty else { return }
        isStoring = true
        Task { [intake, exchanger] in
            // A failure is counted by the intake.
            if (try? await intake.store(records)) != nil { exchanger.learn(records, from: PeerAddress(socket: nil)) }
        }
    }

    private func write(_ line: MarkerLine, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: line.encoded + "\n")), promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        guard !inputEnded else { return }
        inputEnded = true
        batch = []
        counters.update { $0.refused += 1 }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: MarkerLine.refused(reason: reason).encoded + "\n")))
            .whenComplete { _ in bound.value.close(promise: nil) }
    }
}
