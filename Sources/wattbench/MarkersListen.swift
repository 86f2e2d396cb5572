import ArgumentParser
import Dispatch
import Foundation
import MarkerServer

struct MarkersListen: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Receives markers into a plain file, without recording.",
        discussion: """
            For trying out a workload's instrumentation. Ends on Ctrl-C; started again on the same file it goes on there.

            Example: wattbench markers listen tcp://127.0.0.1:47800 --journal markers.jsonl
            """
    )

    @Argument(help: "Where to listen; UDP uses the same port.")
    var endpoint: String

    @Option(help: "File that takes the lines.")
    var journal: String

    @Option(help: "What nodes from beyond this machine must send first.")
    var token: String?

    func run() async throws {
        let endpoint = try MarkerEndpoint(parsing: endpoint)
        let server = try await MarkerServer.start(
            host: endpoint.host, port: endpoint.port, journal: try FileMarkerJournal(path: journal),
            token: token ?? ProcessInfo.processInfo.environment["WATTBENCH_TOKEN"])
        say("listening on \(MarkerEndpoint(host: endpoint.host, port: server.boundPort)), lines go to \(journal)")
        await interrupted()
        await server.stop()
        let counters = server.counters
        say(
            "\(counters.stored) events stored, \(counters.repeats) repeats, \(counters.oversized) oversized and "
                + "\(counters.unparsable) unreadable lines skipped, \(counters.clockExchanges) clock exchanges")
    }

    private func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    private func interrupted() async {
        let (signals, continuation) = AsyncStream.makeStream(of: Void.self)
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
        for await _ in signals { break }
        for source in sources { source.cancel() }
    }
}
