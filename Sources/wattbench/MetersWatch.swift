import ArgumentParser
import Foundation
import MeterDriver
import MeterProtocol
import Traces

struct MetersWatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows voltage, current, power and losses of the meters, once a second, without recording.",
        discussion: """
            Ends after --duration or with Ctrl-C. Exit code 1 if samples were missing, 3 if no meter could be used.
            Example: wattbench meters watch --duration 10
            """
    )

    @Option(name: .customLong("meter"), help: "Serial or port of a meter; may be repeated. Default: all.")
    var wanted: [String] = []

    @Option(help: "Seconds to watch; until Ctrl-C if not given.")
    var duration: Double?

    @OptionGroup var devices: DeviceOptions

    @Flag(help: "Print one JSON object per second and one at the end.")
    var json = false

    func run() async throws {
        if let duration, !(duration > 0) { throw ExitFailure(.badInput, "--duration must be more than 0 seconds") }
        let hub = MeterHub(rules: try devices.rules())
        do {
            _ = try await hub.start(wanted.isEmpty ? .all : .named(wanted))
        } catch {
            throw ExitFailure(.benchNotReady, "\(error)")
        }
        signal(SIGINT, SIG_IGN)
        let interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        let view = Task { await show(hub) }
        interrupt.setEventHandler { view.cancel() }
        interrupt.resume()
        let told = Task {
            for await case .event(let event) in hub.events where event.severity != .info {
                Self.say("\(event.source): \(event.text)")
            }
        }
        await view.value
        let totals = await hub.stop()
        await told.value
        try conclude(totals)
    }

    private func show(_ hub: MeterHub) async {
        let clock = ContinuousClock()
        let begin = clock.now
        var before: [MeterCounters] = []
        if !json { print(WatchLine.header) }
        while !Task.isCancelled {
            let elapsed = begin.duration(to: clock.now) / .seconds(1)
            if let duration, elapsed >= duration { return }
            let pause = min(1, (duration ?? .infinity) - elapsed)
            try? await Task.sleep(for: .seconds(pause))
            let now = hub.snapshot()
            let lines = now.enumerated().map { index, counters in
                WatchLine(counters, before: index < before.count ? before[index] : nil, seconds: pause)
            }
            before = now
            if json { Self.printJSON(lines) } else { for line in lines { print(line.text) } }
        }
    }

    private func conclude(_ totals: HubTotals) throws {
        let lines = totals.meters.map { WatchLine($0, before: $0, seconds: 0) }
        if json { Self.printJSON(lines) } else { for line in lines { print(line.text) } }
        for sentence in totals.imbalances { Self.say(sentence) }
        if lines.contains(where: { $0.missing > 0 }) || !totals.imbalances.isEmpty {
            throw ExitCode(ExitStatus.ruleFailed.rawValue)
        }
        if totals.meters.contains(where: { $0.link == .failed }) {
            throw ExitCode(ExitStatus.benchNotReady.rawValue)
        }
    }

    private static func printJSON(_ lines: [WatchLine]) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        guard let data = try? encoder.encode(["meters": lines]) else { return }
        print(String(decoding: data, as: UTF8.self))
    }

    private static func say(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
