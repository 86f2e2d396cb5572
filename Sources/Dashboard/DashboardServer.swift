import FlyingFox
import FlyingSocks
import Foundation

/// Why the live page could not be served.
package enum DashboardFailure: Error, Sendable, Equatable, CustomStringConvertible {
    case badAddress(String)
    /// Anyone on the network could stop a run: beyond loopback a token is needed.
    case tokenNeeded(String)
    case cannotListen(host: String, port: UInt16, reason: String)

    package var description: String {
        switch self {
        case .badAddress(let text): "'\(text)' is not an IPv4 address such as 127.0.0.1"
        case .tokenNeeded(let host):
            "the live page on \(host) is open to the network; give --token (16 letters or more)"
        case .cannotListen(let host, let port, let reason): "cannot listen on \(host):\(port): \(reason)"
        }
    }
}

/// What a page may ask the run to do, with the right token.
package enum DashboardCommand: String, Sendable, CaseIterable { case pause, resume, abort }

/// Serves the live page, the live stream and the metrics. Listens on loopback unless told otherwise.
package actor DashboardServer {
    package struct Settings: Sendable {
        package var host: String
        /// 0 picks a free port.
        package var port: UInt16
        /// Needed for commands, and for every request when the host is not loopback.
        package var token: String?
        /// Pages served at the same time; further ones are refused so that nobody is starved.
        package var pageLimit: Int

        package init(host: String = "127.0.0.1", port: UInt16 = 8077, token: String? = nil, pageLimit: Int = 256) {
            self.host = host
            self.port = port
            self.token = token
            self.pageLimit = pageLimit
        }
    }

    private let server: HTTPServer
    private let settings: Settings
    private let feed: LiveFeed
    private let perform: @Sendable (DashboardCommand) -> Void
    private var running: Task<Void, any Error>?

    package init(
        feed: LiveFeed, settings: Settings, perform: @escaping @Sendable (DashboardCommand) -> Void
    ) throws(DashboardFailure) {
        let isLoopback = settings.host.hasPrefix("127.")
        if !isLoopback, (settings.token ?? "").count < 16 { throw .tokenNeeded(settings.host) }
        do {
            server = HTTPServer(address: try .inet(ip4: settings.host, port: settings.port), logger: .disabled)
        } catch {
            throw .badAddress(settings.host)
        }
        self.settings = settings
        self.feed = feed
        self.perform = perform
    }

    /// Starts to listen. - Returns: the port.
    package func start() async throws(DashboardFailure) -> UInt16 {
        await addRoutes()
        let server = server
        let running = Task { try await server.run() }
        self.running = running
        do {
            try await server.waitUntilListening(timeout: 60)
        } catch {
            running.cancel()
            throw .cannotListen(host: settings.host, port: settings.port, reason: "\(error)")
        }
        if case .ip4(_, let port) = await server.listeningAddress { return port }
        return settings.port
    }

    package func stop() async {
        await server.stop(timeout: 0)
        running?.cancel()
    }

    // MARK: routes

    private func addRoutes() async {
        let gate = AccessGate(token: settings.token, isLoopback: settings.host.hasPrefix("127."))
        let feed = feed
        let perform = perform
        let limit = settings.pageLimit
        await server.appendRoute("GET /") { request in
            guard gate.mayRead(request) else { return gate.refusal }
            return HTTPResponse(
                statusCode: .ok, headers: Self.pageHeaders, body: Data(PackageResources.index_html))
        }
        await server.appendRoute("GET /status") { request in
            guard gate.mayRead(request) else { return gate.refusal }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/json", HTTPHeader("Cache-Control"): "no-store"],
                body: try encoder.encode(feed.status))
        }
        await server.appendRoute("GET /metrics") { request in
            guard gate.mayRead(request) else { return gate.refusal }
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: "text/plain; version=0.0.4"],
                body: Data(Metrics.text(feed.status).utf8))
        }
        let socket = WebSocketHTTPHandler(handler: MessageFrameWSHandler(handler: LiveSocket(feed: feed)))
        await server.appendRoute("GET /live") { request in
            guard gate.mayRead(request), gate.isSameOrigin(request) else { return gate.refusal }
            guard feed.listenerCount < limit else { return HTTPResponse(statusCode: .serviceUnavailable) }
            return try await socket.handleRequest(request)
        }
        await server.appendRoute("POST /command/:name") { (request: HTTPRequest, name: String) in
            guard gate.mayCommand(request), gate.isSameOrigin(request) else { return gate.refusal }
            guard let command = DashboardCommand(rawValue: name) else { return HTTPResponse(statusCode: .notFound) }
            perform(command)
            return HTTPResponse(statusCode: .noContent)
        }
    }

    /// The page needs nothing from outside, and nothing outside may frame it or read from it.
    private static let pageHeaders: HTTPHeaders = [
        .contentType: "text/html; charset=utf-8",
        HTTPHeader("Content-Security-Policy"):
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
            + "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        HTTPHeader("X-Content-Type-Options"): "nosniff",
        HTTPHeader("Referrer-Policy"): "no-referrer",
    ]
}

/// Sends the feed to one page; what the page sends is ignored.
private struct LiveSocket: WSMessageHandler {
    let feed: LiveFeed

    func makeMessages(for client: AsyncStream<WSMessage>) async throws -> AsyncStream<WSMessage> {
        let messages = feed.listen()
        let (stream, continuation) = AsyncStream.makeStream(of: WSMessage.self, bufferingPolicy: .bufferingNewest(256))
        let sending = Task {
            for await message in messages {
                switch message {
                case .columns(let bytes): continuation.yield(.data(Data(bytes)))
                case .status(let json): continuation.yield(.text(json))
                }
            }
            continuation.finish()
        }
        let listening = Task {
            for await _ in client {}
            sending.cancel()
            continuation.finish()
        }
        continuation.onTermination = { _ in
            sending.cancel()
            listening.cancel()
        }
        return stream
    }
}
