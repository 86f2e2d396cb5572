package import BoardControl
package import Campaign
import Foundation
import MarkerServer
package import MeterDriver
import MeterProtocol
package import PhaseLink
import RunStore
import Synchronization
package import Traces

/// One run of a campaign: recording, boards and workload together, from the first sample to the safe state.
package struct CampaignRun: Sendable {
    package struct Parts: Sendable {
        package var hub: MeterHub
        package var lines: any GPIOLines
        package var workload: any Workload
        /// Told the port of the marker listener once it is open: a virtual bench connects its nodes there.
        package var nodesMayConnect: @Sendable (Int) throws -> Void
        /// Host clock, ns.
        package var now: @Sendable () -> Int64

        package init(
            hub: MeterHub, lines: any GPIOLines, workload: any Workload,
            nodesMayConnect: @escaping @Sendable (Int) throws -> Void = { _ in }, now: @escaping @Sendable () -> Int64
        ) {
            self.hub = hub
            self.lines = lines
            self.workload = workload
            self.nodesMayConnect = nodesMayConnect
            self.now = now
        }
    }

    /// What a spectator (live page, progress line) hears; must return at once.
    package struct Spectator: Sendable {
        package var block: @Sendable (SampleBlock) -> Void
        package var window: @Sendable (PowerWindows.Window) -> Void
        package var marker: @Sendable (MarkerEvent) -> Void
        package var event: @Sendable (RunEvent) -> Void
        package var progress: @Sendable (RunProgress) -> Void
        package var started: @Sendable ([StartedMeter]) -> Void

        package init(
            block: @escaping @Sendable (SampleBlock) -> Void = { _ in },
            window: @escaping @Sendable (PowerWindows.Window) -> Void = { _ in },
            marker: @escaping @Sendable (MarkerEvent) -> Void = { _ in },
            event: @escaping @Sendable (RunEvent) -> Void = { _ in },
            progress: @escaping @Sendable (RunProgress) -> Void = { _ in },
            started: @escaping @Sendable ([StartedMeter]) -> Void = { _ in }
        ) {
            self.block = block
            self.window = window
            self.marker = marker
            self.event = event
            self.progress = progress
            self.started = started
        }
    }

    /// How the run ended.
    package struct Ending: Sendable {
        package var report: RecordingReport
        package var outcome: RunOutcome
        /// The run was ended from outside before its last stage.
        package var wasInterrupted: Bool
    }

    private enum Heard: Sendable {
        case window(PowerWindows.Window)
        case hello(node: String, at: Int64)
    }

    package var bench: BenchFile
    package var campaign: CampaignFile
    package var parts: Parts
    package var spectator: Spectator

    package init(bench: BenchFile, campaign: CampaignFile, parts: Parts, spectator: Spectator = Spectator()) {
        self.bench = bench
        self.campaign = campaign
        self.parts = parts
        self.spectator = spectator
    }

    /// Records one run into `path`.
    /// - Throws: what keeps the run from beginning; once it has begun, failures are in the ending.
    package func run(into path: String, number: Int, metadata: [String: String] = [:]) async throws -> Ending {
        let (heard, hearing) = AsyncStream.makeStream(of: Heard.self)
        let windows = WindowTap(hearing: { hearing.yield(.window($0)) }, also: spectator.window)
        let now = parts.now
        let spectator = spectator
        let observers = RecordingObservers(
            block: { block in
                windows.add(block)
                spectator.block(block)
            },
            marker: { event in
                if case .hello = event.body { hearing.yield(.hello(node: event.source.node, at: now())) }
                spectator.marker(event)
            },
            event: spectator.event)
        var plan = RecordingPlan(
            path: path, meters: .named(bench.boards.map(\.meter)), markers: try MarkerEndpoint(parsing: bench.markers),
            bench: bench, metadata: metadata)
        plan.metadata["campaign"] = campaign.name
        plan.metadata["run_number"] = String(number)
        plan.metadata["campaign_seed"] = String(campaign.seed)
        let recording = try await Recording.start(plan, hub: parts.hub, observers: observers)
        spectator.started(recording.meters)
        let fleet: BoardFleet
        do {
            fleet = try BoardFleet(bench: bench, lines: parts.lines, note: { recording.note($0) })
            if let port = recording.markerPort { try parts.nodesMayConnect(port) }
        } catch {
            _ = await recording.stop()
            throw error
        }
        let listening = Task {
            for await item in heard {
                switch item {
                case .window(let window): await fleet.hear(window)
                case .hello(let node, let time): await fleet.hello(fromNode: node, atNanoseconds: time)
                }
            }
        }
        let engine = RunEngine(
            stages: campaign.stages, boards: bench.boards.map(\.name), fleet: fleet, workload: parts.workload, now: now,
            note: { recording.note($0) }, progress: spectator.progress)
        var outcome = RunOutcome()
        var wasInterrupted = false
        do {
            outcome = try await engine.run()
        } catch is CancellationError {
            wasInterrupted = true
        } catch {
            outcome.failures.append("\(error)")
        }
        let report = await recording.stop()
        hearing.finish()
        await listening.value
        fleet.release()
        return Ending(report: report, outcome: outcome, wasInterrupted: wasInterrupted)
    }
}

/// Cuts the block stream into power windows and passes them on. Used from the recording's one task; locked all the same.
private final class WindowTap: Sendable {
    private let windows = Mutex(PowerWindows())
    private let hearing: @Sendable (PowerWindows.Window) -> Void
    private let also: @Sendable (PowerWindows.Window) -> Void

    init(
        hearing: @escaping @Sendable (PowerWindows.Window) -> Void,
        also: @escaping @Sendable (PowerWindows.Window) -> Void
    ) {
        self.hearing = hearing
        self.also = also
    }

    func add(_ block: SampleBlock) {
        for window in windows.withLock({ $0.add(block) }) {
            hearing(window)
            also(window)
        }
    }
}
