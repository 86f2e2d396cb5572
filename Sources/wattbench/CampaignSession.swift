import Bench
import BoardControl
import Campaign
import Dashboard
import Foundation
import MarkerServer
import MeterDriver
import MeterProtocol
import PhaseLink
import Synchronization
import Traces
import VirtualBench

/// Wires one campaign: real or emulated bench, live page, progress, signals.
struct CampaignSession {
    let campaign: CampaignFile
    let bench: BenchFile
    let folder: CampaignFolder
    let livePort: UInt16?

    struct Result: Encodable {
        struct Run: Encodable {
            struct Meter: Encodable {
                var meter: String
                var model: String
                var received: Int
                var missing: Int
                var repeated: Int
                var reconnects: Int
            }
            var file: String
            var meters: [Meter]
            var markersStored: Int
            var transitions: Int
        }
        var folder: String
        var runs: [Run] = []
        var notices: [String] = []
        var failures: [String] = []
        var wasInterrupted = false

        func json() throws -> String {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }

        var text: String {
            let lines = runs.map { run in
                let received = run.meters.map(\.received).reduce(0, +)
                let missing = run.meters.map(\.missing).reduce(0, +)
                return "\(run.file): \(run.meters.count) meters, \(received) samples received, \(missing) missing, "
                    + "\(run.markersStored) markers, \(run.transitions) board transitions"
            }
            return (lines + notices).joined(separator: "\n")
        }
    }

    func run(emulated: EmulatedBench?) async throws -> Result {
        let interrupts = Interrupts()
        defer { interrupts.end() }
        var result = Result(folder: folder.path)
        for number in 1...max(campaign.repeats, 1) {
            let ending = try await runOnce(number, emulated: emulated, interrupts: interrupts, &result)
            result.wasInterrupted = ending.wasInterrupted
            result.failures += ending.outcome.failures
            if let failure = ending.report.failure { result.failures.append("\(failure)") }
            result.failures += ending.report.totals.imbalances
            result.runs.append(
                Result.Run(
                    file: ending.report.path,
                    meters: ending.report.totals.meters.map {
                        .init(
                            meter: $0.meter.name, model: $0.meter.model, received: $0.received, missing: $0.missing,
                            repeated: $0.account.repeated, reconnects: $0.traffic.reconnects)
                    }, markersStored: ending.report.markers?.stored ?? 0,
                    transitions: ending.outcome.transitions.count))
            if ending.wasInterrupted { break }
        }
        if let emulated {
            emulated.world.stop()
            try emulated.world.writeTruth(to: URL(fileURLWithPath: folder.truthPath))
        }
        return result
    }

    private func runOnce(
        _ number: Int, emulated: EmulatedBench?, interrupts: Interrupts, _ result: inout Result
    ) async throws -> CampaignRun.Ending {
        var settings = HubSettings()
        settings.session.pollPeriodNanoseconds = Int64(bench.pollMilliseconds) * 1_000_000
        let port = Mutex<Int>(0)
        let parts = CampaignRun.Parts(
            hub: emulated?.makeHub(settings: settings) ?? MeterHub(rules: DeviceRules(), settings: settings),
            lines: emulated?.world.lines ?? LibGPIOD(),
            workload: emulated ?? CommandWorkload(markers: { "tcp://127.0.0.1:\(port.withLock { $0 })" })
                as any Workload,
            nodesMayConnect: { bound in
                port.withLock { $0 = bound }
                try emulated?.world.connectNodes(host: "127.0.0.1", port: bound)
            }, now: { HostTime.nowNanoseconds })
        let page = LivePage(
            bench: bench, title: "\(campaign.name), run \(number) of \(campaign.repeats)", origin: parts.now())
        let server = try await page.serve(onPort: livePort)
        let line = ProgressLine()
        let notices = Mutex<[String]>([])
        let told = Mutex<Set<String>>([])
        let spectator = page.spectator(
            progress: { progress in
                line.show(
                    "run \(number)/\(campaign.repeats), stage \(progress.stage)/\(progress.stages) \(progress.name): "
                        + "\(ProgressLine.duration(progress.elapsedSeconds)) done, about "
                        + "\(ProgressLine.duration(progress.remainingSeconds)) left")
            },
            started: { meters in
                notices.withLock { $0 = Set(meters.compactMap(\.profile.notice)).sorted() }
            },
            event: { event in
                // Ten meters that say the same say it once; the run file keeps every one.
                let isNew = told.withLock { $0.insert(event.text).inserted }
                if event.severity != .info, isNew {
                    line.show("\(event.severity.rawValue): \(event.source): \(event.text)", always: true)
                }
            })
        let run = CampaignRun(bench: bench, campaign: campaign, parts: parts, spectator: spectator)
        let path = folder.runPath(number)
        let metadata = ["harness": "wattbench", "virtual_bench": emulated == nil ? "no" : "yes"]
        let task = Task { try await run.run(into: path, number: number, metadata: metadata) }
        interrupts.onFirst { task.cancel() }
        let ending = try await task.value
        line.end()
        await server?.stop()
        result.notices = notices.withLock { $0 }
        return ending
    }
}
