import ArgumentParser
import Foundation
import VirtualBench

struct Emulate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The virtual bench: meters on USB/IP, boards and FL nodes behind them, of known truth.",
        discussion: """
            Another terminal (or machine) puts the meters on its own USB stack:
              sudo modprobe vhci-hcd; usbip list -r 127.0.0.1; sudo usbip attach -r 127.0.0.1 -b 9-1
            As root on the same machine --attach does the same without usbip. Serials begin with VB: no real meter's do.
            Ends with Ctrl-C or after --duration; then the truth is written. Exit code 1 if a host sent a frame that no \
            host may send to a meter, 3 if the kernel does not take the meters.
            Example: wattbench emulate --meters 10 --fault faults.yaml --truth truth/
            """
    )

    @Option(help: "Number of boards, each with one meter and one node.")
    var meters = 10

    @Option(help: "Meter model: KM003C, KM002C or KM001C (unverified: copies the KM003C).")
    var model = "KM003C"

    @Option(help: "Seed: the same seed gives the same bench.")
    var seed: UInt64 = 1

    @Option(help: "Where to serve USB/IP: HOST:PORT, or none.")
    var listen = "127.0.0.1:3240"

    @Flag(help: "Allow --listen on an address that other machines reach. USB/IP has no password.")
    var allowRemote = false

    @Flag(help: "Put the meters into this machine's kernel (root, vhci-hcd).")
    var attach = false

    @Option(help: "Folder for the truth, written at the end.")
    var truth: String?

    @Flag(help: "Also write the truth of every sample (large: 60 bytes a sample).")
    var samples = false

    @Option(help: "Fault script, YAML or JSON.")
    var fault: String?

    @Option(help: "Marker receiver the nodes report to, tcp://HOST:PORT. They play FedAvg rounds then.")
    var markers: String?

    @Option(help: "FedAvg rounds the nodes play (0 = idle).")
    var rounds = 3

    @Option(
        name: .customLong("gpio"),
        help: "A gpio-sim line that leads to a board, BOARD:ROLE:FOLDER; may be repeated.")
    var gpio: [String] = []

    @Option(help: "Seconds to run; until Ctrl-C if not given.")
    var duration: Double?

    @Flag(help: "Say what would be emulated and end.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let description = try describe()
        let lines = try reporting(.badInput) { try gpio.map { try SimulatedLine(parsing: $0) } }
        let address = try split(listen)
        let receiver = try markers.map { text -> (String, Int) in
            guard text.hasPrefix("tcp://"), let parts = try split(String(text.dropFirst(6))) else {
                throw ExitFailure(.badInput, "--markers '\(text)': write tcp://HOST:PORT")
            }
            return parts
        }
        if dryRun {
            announce(description, port: address?.1)
            return
        }
        let bench = VirtualBench(description)
        let server = try reporting(.badInput) {
            try USBIPServer(bench: bench, host: address?.0, port: address?.1 ?? 0, allowRemote: allowRemote)
        }
        try reporting(.benchNotReady) { try server.start(attach: attach) }
        defer { server.stop() }
        let chips = try reporting(.benchNotReady) {
            lines.isEmpty ? nil : try SimulatedChipLines(bench: bench, lines: lines)
        }
        defer { chips?.stop() }
        if let receiver {
            try reporting(.badInput) { try bench.connectNodes(host: receiver.0, port: receiver.1) }
        }
        announce(description, port: server.port)
        await wait(bench)
        server.stop()
        bench.stop()
        if let truth {
            try reporting(.badInput) { try bench.writeTruth(to: URL(fileURLWithPath: truth, isDirectory: true)) }
            say("truth written to \(truth)")
        }
        let violations = bench.violations
        for violation in violations { say("\(violation.meter) received \(violation.text)") }
        if !violations.isEmpty {
            throw ExitFailure(.ruleFailed, "\(violations.count) times a host sent what no host may send to a meter")
        }
    }

    private func describe() throws -> BenchDescription {
        guard (1...64).contains(meters) else { throw ExitFailure(.badInput, "--meters \(meters): 1 to 64") }
        guard let known = EmulatedModel(rawValue: model.uppercased()) else {
            let models = EmulatedModel.allCases.map(\.rawValue).joined(separator: ", ")
            throw ExitFailure(.badInput, "--model '\(model)': one of \(models)")
        }
        guard (0...100_000).contains(rounds) else { throw ExitFailure(.badInput, "--rounds \(rounds): 0 or more") }
        if let duration, !(duration > 0) { throw ExitFailure(.badInput, "--duration must be more than 0 seconds") }
        var description = BenchDescription(boards: meters, seed: seed, clock: .real)
        description.model = known
        description.recordsSamples = samples
        if rounds > 0 {
            var schedule = FedAvgSchedule()
            schedule.rounds = rounds
            description.schedule = schedule
        }
        if let fault { description.faults = try reporting(.badInput) { try FaultScript.load(fault) } }
        return description
    }

    private func split(_ text: String) throws -> (String, Int)? {
        if text == "none" { return nil }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port), colon > text.startIndex
        else { throw ExitFailure(.badInput, "'\(text)' is no address: write HOST:PORT, such as 127.0.0.1:3240") }
        return (String(text[..<colon]), port)
    }

    private func reporting<R>(_ status: ExitStatus, _ body: () throws -> R) throws -> R {
        do { return try body() } catch let failure as VirtualBenchFailure {
            throw ExitFailure(status, failure.description)
        }
    }

    private struct Announcement: Encodable {
        struct Meter: Encodable {
            var serial: String
            var model: String
            var board: String
            var node: String
            var bus_id: String
        }
        var virtual = true
        var listen: String?
        var attached: Bool
        var seed: UInt64
        var faults: Int
        var meters: [Meter]
    }

    private func announce(_ description: BenchDescription, port: Int?) {
        let host = listen == "none" ? nil : listen.split(separator: ":").first.map { "\($0):\(port ?? 0)" }
        let announcement = Announcement(
            listen: host, attached: attach, seed: seed, faults: description.faults.count,
            meters: (0..<description.boards).map {
                Announcement.Meter(
                    serial: BenchDescription.serial($0), model: description.model.rawValue,
                    board: BenchDescription.boardName($0), node: BenchDescription.nodeName($0), bus_id: "9-\($0 + 1)")
            })
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            if let data = try? encoder.encode(announcement) { print(String(decoding: data, as: UTF8.self)) }
        } else {
            print("Virtual bench, seed \(seed): nothing measured on it is real.")
            for meter in announcement.meters {
                print(
                    "  \(meter.serial)  \(meter.model)  board \(meter.board)  node \(meter.node)  bus id \(meter.bus_id)"
                )
            }
            if description.model.isUnverified { print("  KM001C is unverified: its meters copy the KM003C.") }
            if let host { print("USB/IP on \(host): usbip attach -r HOST -b BUSID") }
            if attach { print("Attached to this machine's kernel.") }
            if !description.faults.isEmpty { print("\(description.faults.count) faults in the script.") }
        }
        fflush(nil)
    }

    /// Until Ctrl-C, SIGTERM or the end of `--duration`; a line of progress every ten seconds.
    private func wait(_ bench: VirtualBench) async {
        signal(SIGINT, SIG_IGN)
        signal(SIGTERM, SIG_IGN)
        let (events, continuation) = AsyncStream.makeStream(of: Bool.self)
        let sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(true) }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        let begin = ContinuousClock.now
        let limit = duration
        let ticker = Task {
            while !Task.isCancelled {
                let left = limit.map { $0 - begin.duration(to: .now) / .seconds(1) } ?? .infinity
                if left <= 0 { break }
                try? await Task.sleep(for: .seconds(min(10, left)))
                continuation.yield(false)
            }
            continuation.finish()
        }
        for await isSignal in events {
            if isSignal { break }
            let left = limit.map { ", \(Int(max(0, $0 - begin.duration(to: .now) / .seconds(1)))) s left" } ?? ""
            let truth = bench.truth()
            let sent = truth.meters.reduce(0) { $0 + $1.counts.sent }
            let up = truth.boards.count { $0.parameters.name != "" && bench.boardState($0.parameters.name) == .running }
            say("\(up) of \(truth.boards.count) boards up, \(sent) samples sent, \(truth.faults.count) faults\(left)")
        }
        ticker.cancel()
    }

    private func say(_ text: String) { FileHandle.standardError.write(Data("wattbench: \(text)\n".utf8)) }
}
