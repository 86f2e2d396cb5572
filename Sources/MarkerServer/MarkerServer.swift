import NIOCore
import NIOPosix
package import PhaseLink

/// Receives the marker lines of all nodes: TCP lines with durable acknowledgement, the same lines as UDP datagrams, and
/// clock exchange, on one port number. Protocol: docs/markers.md.
package final class MarkerServer: Sendable {
    /// Port of both TCP and UDP.
    package let boundPort: Int
    private let group: MultiThreadedEventLoopGroup
    private let listener: any Channel
    private let datagrams: any Channel
    private let intake: MarkerIntake
    private let exchanger: ClockExchanger
    private let shared: SharedCounters
    private let connections: ConnectionRoll

    private init(
        boundPort: Int, group: MultiThreadedEventLoopGroup, listener: any Channel, datagrams: any Channel,
        intake: MarkerIntake, exchanger: ClockExchanger, shared: SharedCounters, connections: ConnectionRoll
    ) {
        self.boundPort = boundPort
        self.group = group
        self.listener = listener
        self.datagrams = datagrams
        self.intake = intake
        self.exchanger = exchanger
        self.shared = shared
        self.connections = connections
    }

    package var counters: MarkerCounters { shared.snapshot }

    /// Account of every source: what is stored, what is missing, who said `bye`.
    package var ledger: SourceLedger { get async { await intake.ledger } }

    /// Starts listening. Identities stored earlier are read from the journal first, so that repeats are dropped across
    /// restarts.
    /// - Parameters:
    ///   - port: 0 lets the system choose; see `boundPort`.
    ///   - token: what peers from beyond loopback must send first; needed if `host` is not a loopback address.
    ///   - observer: told of every event once it is stored; must return at once.
    /// - Throws: `MarkerServerError`.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, journal: any MarkerJournal, token: String? = nil,
        limits: MarkerLimits = MarkerLimits(), observer: (@Sendable (MarkerEvent) -> Void)? = nil
    ) async throws(MarkerServerError) -> MarkerServer {
        let endpoint = MarkerEndpoint(host: host, port: port)
        if !endpoint.isLoopback, token?.isEmpty ?? true { throw .tokenNeeded(host: host) }
        let shared = SharedCounters()
        let intake: MarkerIntake
        do {
            intake = try await MarkerIntake(journal: journal, counters: shared, observer: observer)
        } catch let error as MarkerServerError {
            throw error
        } catch {
            throw .journal(path: "", reason: "\(error)")
        }
        let exchanger = ClockExchanger(limits: limits, counters: shared, intake: intake)
        let parts = Parts(
            intake: intake, counters: shared, exchanger: exchanger, gate: Gate(token: token), limits: limits,
            roll: ConnectionRoll())
        // One loop for connections, one for datagrams: stamps of clock exchanges wait for no connection.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        do {
            let (listener, datagrams) = try await bind(endpoint, parts, group)
            exchanger.attach(datagrams)
            return MarkerServer(
                boundPort: listener.localAddress?.port ?? port, group: group, listener: listener,
                datagrams: datagrams, intake: intake, exchanger: exchanger, shared: shared, connections: parts.roll)
        } catch {
            try? await group.shutdownGracefully()
            throw .cannotListen(host: host, port: port, reason: "\(error)")
        }
    }

    private struct Parts: Sendable {
        let intake: MarkerIntake
        let counters: SharedCounters
        let exchanger: ClockExchanger
        let gate: Gate
        let limits: MarkerLimits
        let roll: ConnectionRoll
    }

    /// TCP first, then UDP on the same number. A number the system chose may be taken on UDP: then another is tried.
    private static func bind(
        _ endpoint: MarkerEndpoint, _ parts: Parts, _ group: MultiThreadedEventLoopGroup
    ) async throws -> (any Channel, any Channel) {
        var attempts = endpoint.port == 0 ? 20 : 1
        while true {
            let listener = try await bindTCP(endpoint, parts, group)
            do {
                let port = listener.localAddress?.port ?? endpoint.port
                let datagrams = try await bindUDP(MarkerEndpoint(host: endpoint.host, port: port), parts, group)
                return (listener, datagrams)
            } catch {
                try await listener.close()
                attempts -= 1
                if attempts == 0 { throw error }
            }
        }
    }

    private static func bindTCP(
        _ endpoint: MarkerEndpoint, _ parts: Parts, _ group: MultiThreadedEventLoopGroup
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: parts.limits.bytesPerBatch / 4)
            )
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                parts.roll.add(channel)
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectionHandler(
                            intake: parts.intake, counters: parts.counters, exchanger: parts.exchanger,
                            gate: parts.gate, limits: parts.limits))
                }
            }
            .bind(host: endpoint.host, port: endpoint.port).get()
    }

    private static func bindUDP(
        _ endpoint: MarkerEndpoint, _ parts: Parts, _ group: MultiThreadedEventLoopGroup
    ) async throws -> any Channel {
        try await DatagramBootstrap(group: group)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        DatagramHandler(
                            intake: parts.intake, counters: parts.counters, exchanger: parts.exchanger,
                            gate: parts.gate, limits: parts.limits))
                }
            }
            .bind(host: endpoint.host, port: endpoint.port).get()
    }

    /// Asks every quiet node for its clock once more, stops listening, stores what was read, and closes. Senders keep
    /// what was not acknowledged.
    package func stop() async {
        let pause = exchanger.finalBurst()
        if pause > .zero { try? await Task.sleep(for: pause) }
        try? await listener.close()
        for channel in connections.all { try? await channel.close() }
        try? await datagrams.close()
        // Lines of closed connections may still be on their way to storage.
        await intake.finish()
        try? await group.shutdownGracefully()
    }
}
