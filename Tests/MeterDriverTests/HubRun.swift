import MeterProtocol
import Synchronization
import Traces

@testable import MeterDriver
@testable import VirtualBench

/// One recording of a hub on the virtual bench with the virtual clock, collected whole.
struct HubRun {
    var blocks: [SampleBlock] = []
    var gaps: [Gap] = []
    var events: [RunEvent] = []
    var links: [(meter: String, link: MeterLink)] = []
    var totals = HubTotals()

    /// Records everything that is plugged in for `seconds` of virtual time.
    static func record(
        _ bench: VirtualBench, seconds: Double, meters: MeterSelection = .all,
        change: (inout HubSettings) -> Void = { _ in }
    ) async throws -> HubRun {
        var settings = HubSettings()
        settings.overflow = .wait
        settings.queueCapacity = 512
        settings.realtimePriority = nil
        settings.nonceSeed = 1
        settings.durationNanoseconds = Int64(seconds * 1e9)
        change(&settings)
        let hub = MeterHub(settings: settings) { bench.makeBus() }
        _ = try await hub.start(meters)
        var run = HubRun()
        for await event in hub.events {
            switch event {
            case .block(let block): run.blocks.append(block)
            case .gap(let gap): run.gaps.append(gap)
            case .event(let event): run.events.append(event)
            case .link(let meter, let link, _): run.links.append((meter, link))
            case .finished(let totals): run.totals = totals
            case .reading, .identity: break
            }
        }
        return run
    }

    func received(_ meter: String) -> Int {
        blocks.reduce(0) { $1.meter == meter ? $0 + $1.samples.count : $0 }
    }

    func missing(_ meter: String) -> Int {
        gaps.reduce(0) { $1.meter == meter ? $0 + ($1.missing ?? 0) : $0 }
    }

    func counters(_ meter: String) -> MeterCounters? { totals.meters.first { $0.meter.name == meter } }

    /// Counts the delivered stream by itself, from uptimes alone: sentences for what does not add up.
    func audit() -> [String] {
        var complaints = totals.imbalances
        for counters in totals.meters {
            let name = counters.meter.name
            if received(name) != counters.received {
                complaints.append("\(name): \(received(name)) samples came, \(counters.received) are in the books")
            }
            if missing(name) != counters.missing {
                complaints.append("\(name): \(missing(name)) told missing, \(counters.missing) in the books")
            }
            for (epoch, blocks) in Dictionary(grouping: blocks.filter { $0.meter == name }, by: \.epoch) {
                let uptimes = blocks.flatMap { $0.samples.map(\.uptimeMilliseconds) }
                guard let first = uptimes.first, let last = uptimes.last else { continue }
                if zip(uptimes, uptimes.dropFirst()).contains(where: { $0 >= $1 }) {
                    complaints.append("\(name): uptimes do not rise in epoch \(epoch)")
                }
                let told = gaps.filter { $0.meter == name && $0.epoch == epoch }.reduce(0) { $0 + ($1.missing ?? 0) }
                if last - first + 1 != Int64(uptimes.count + told) {
                    complaints.append(
                        "\(name): \(last - first + 1) expected in epoch \(epoch), \(uptimes.count) + \(told) came or told"
                    )
                }
            }
        }
        return complaints
    }
}

/// A bench without spread, on the virtual clock.
func virtualBench(meters: Int, seed: UInt64 = 1, change: (inout BenchDescription) -> Void = { _ in }) -> VirtualBench {
    var description = BenchDescription(boards: meters, seed: seed, clock: .virtual)
    description.isIdeal = true
    change(&description)
    return VirtualBench(description)
}
