package import Campaign
import Foundation
package import MarkerServer
package import MeterDriver
import MeterProtocol
package import PhaseLink
package import RunStore
package import Traces

/// What is recorded, and where to.
package struct RecordingPlan: Sendable {
    /// The run file to create; must not exist.
    package var path: String
    /// nil: no meters, markers only.
    package var meters: MeterSelection?
    /// Where nodes send their marks; nil: nobody listens.
    package var markers: MarkerEndpoint?
    package var markerToken: String?
    /// Bench behind the recording; its copy goes into the file.
    package var bench: BenchFile?
    package var metadata: [String: String]
    /// Host times come from a virtual clock.
    package var hostClockIsVirtual: Bool

    package init(
        path: String, meters: MeterSelection? = .all, markers: MarkerEndpoint? = nil, markerToken: String? = nil,
        bench: BenchFile? = nil, metadata: [String: String] = [:], hostClockIsVirtual: Bool = false
    ) {
        self.path = path
        self.meters = meters
        self.markers = markers
        self.markerToken = markerToken
        self.bench = bench
        self.metadata = metadata
        self.hostClockIsVirtual = hostClockIsVirtual
    }
}

/// What others may listen to while a recording runs. Called on the recording's own task: must return at once.
package struct RecordingObservers: Sendable {
    package var block: @Sendable (SampleBlock) -> Void
    package var marker: @Sendable (MarkerEvent) -> Void
    package var event: @Sendable (RunEvent) -> Void

    package init(
        block: @escaping @Sendable (SampleBlock) -> Void = { _ in },
        marker: @escaping @Sendable (MarkerEvent) -> Void = { _ in },
        event: @escaping @Sendable (RunEvent) -> Void = { _ in }
    ) {
        self.block = block
        self.marker = marker
        self.event = event
    }
}

/// How a recording ended.
package struct RecordingReport: Sendable {
    package var path: String
    package var totals: HubTotals
    package var markers: MarkerCounters?
    /// The failure of the run file, if one ended the recording.
    package var failure: RunStoreError?
}

/// One run being recorded: meters through a hub, marks through a server, both into one run file.
package actor Recording {
    package nonisolated let writer: RunWriter
    package nonisolated let meters: [StartedMeter]
    /// Port of the marker listener, nil without one.
    package nonisolated let markerPort: Int?
    private let hub: MeterHub?
    private let server: MarkerServer?
    private let consuming: Task<RunStoreError?, Never>?
    private let notify: @Sendable (RunEvent) -> Void
    /// The hub brings nothing more: its time was over, or its last meter gave up.
    package private(set) var hubHasEnded = false

    private init(
        writer: RunWriter, meters: [StartedMeter], hub: MeterHub?, server: MarkerServer?,
        consuming: Task<RunStoreError?, Never>?, notify: @escaping @Sendable (RunEvent) -> Void
    ) {
        self.writer = writer
        self.meters = meters
        self.hub = hub
        self.server = server
        markerPort = server?.boundPort
        self.consuming = consuming
        self.notify = notify
    }

    /// Creates the run file, opens the marker listener, then starts the meters.
    /// - Throws: `RunStoreError`, `MarkerServerError`, `DriverFailure`; a file created before the failure is kept and
    ///   closed, it says why it is empty.
    package static func start(
        _ plan: RecordingPlan, hub: MeterHub?, observers: RecordingObservers = RecordingObservers()
    ) async throws -> Recording {
        var metadata = plan.metadata
        if let bench = plan.bench { metadata["bench"] = try bench.metadataJSON() }
        let writer = try RunWriter(
            creating: plan.path, metadata: metadata,
            settings: .init(hostClockIsMonotonic: !plan.hostClockIsVirtual))
        do {
            var server: MarkerServer?
            if let endpoint = plan.markers {
                server = try await MarkerServer.start(
                    host: endpoint.host, port: endpoint.port, journal: RunJournal(writer: writer),
                    token: plan.markerToken, observer: observers.marker)
            }
            guard let selection = plan.meters, let hub else {
                return Recording(
                    writer: writer, meters: [], hub: nil, server: server, consuming: nil, notify: observers.event)
            }
            let started: [StartedMeter]
            do throws(DriverFailure) {
                started = try await hub.start(selection)
            } catch {
                await server?.stop()
                throw error
            }
            for meter in started { try writer.register(Self.record(of: meter, bench: plan.bench)) }
            let events = hub.events
            let consuming = Task { await Self.consume(events, writer: writer, observers: observers) }
            return Recording(
                writer: writer, meters: started, hub: hub, server: server, consuming: consuming, notify: observers.event
            )
        } catch {
            try? writer.append(
                RunEvent(
                    atNanoseconds: 0, severity: .error, source: "recording", kind: "not_started", text: "\(error)"))
            try? await writer.finish()
            throw error
        }
    }

    private func hubEnded() { hubHasEnded = true }

    /// Notes an event in the run file; a full disk is told at `stop`.
    package nonisolated func note(_ event: RunEvent) {
        try? writer.append(event)
        notify(event)
    }

    /// Live counters of the meters.
    package nonisolated func snapshot() -> [MeterDriver.MeterCounters] { hub?.snapshot() ?? [] }
    package nonisolated var markerCounters: MarkerCounters? { server?.counters }
    package nonisolated var failure: RunStoreError? { writer.failure }

    /// Stops meters, then the listener, writes what is left and closes the file.
    package func stop() async -> RecordingReport {
        let totals = await hub?.stop() ?? HubTotals()
        var failure = await consuming?.value
        await server?.stop()
        do throws(RunStoreError) {
            for meter in totals.meters { try writer.setCounters(meter.meter.name, Self.counters(of: meter)) }
            for sentence in totals.imbalances {
                try writer.append(
                    RunEvent(
                        atNanoseconds: 0, severity: .error, source: "recording", kind: "books_do_not_balance",
                        text: sentence))
            }
            try await writer.finish()
        } catch {
            failure = failure ?? error
        }
        return RecordingReport(path: writer.path, totals: totals, markers: server?.counters, failure: failure)
    }

    // MARK: consuming

    private static func consume(
        _ events: AcquisitionEvents, writer: RunWriter, observers: RecordingObservers
    ) async -> RunStoreError? {
        var failure: RunStoreError?
        for await event in events {
            do throws(RunStoreError) {
                switch event {
                case .block(let block):
                    observers.block(block)
                    try writer.append(block)
                case .gap(let gap): try writer.append(gap)
                case .event(let event):
                    observers.event(event)
                    try writer.append(event)
                case .reading(let meter, let reading, let time):
                    try writer.append(Self.event(meter, reading, time))
                case .link(let meter, let link, let time):
                    try writer.append(
                        RunEvent(
                            atNanoseconds: time, severity: .info, source: meter, kind: "meter_link", text: link.rawValue
                        ))
                case .identity(let meter, let hardware, let firmware):
                    try writer.append(Self.event(meter, hardware, firmware))
                case .finished: break
                }
            } catch {
                failure = failure ?? error
            }
        }
        return failure
    }

    private static func event(_ meter: String, _ reading: ADCReading, _ time: Int64) -> RunEvent {
        let temperature = reading.temperatureCelsius.map { "temperature_c=\($0)" } ?? "temperature_c=not_available"
        return RunEvent(
            atNanoseconds: time, severity: .info, source: meter, kind: "meter_reading",
            text:
                "\(temperature) vbus_avg_uv=\(reading.vbusAverageMicrovolts) ibus_avg_ua=\(reading.ibusAverageMicroamperes)"
        )
    }

    private static func event(_ meter: String, _ hardware: IdentityText?, _ firmware: IdentityText?) -> RunEvent {
        func text(_ identity: IdentityText?) -> String {
            identity.map { "\($0.model) \($0.version) \($0.date)" } ?? "not read"
        }
        return RunEvent(
            atNanoseconds: 0, severity: .info, source: meter, kind: "meter_identity",
            text: "hardware: \(text(hardware)); firmware: \(text(firmware))")
    }

    private static func record(of meter: StartedMeter, bench: BenchFile?) -> MeterRecord {
        MeterRecord(
            serial: meter.name, portPath: meter.found.portPath, product: meter.found.product, model: meter.model,
            protocolStatus: meter.profile.status == .verified ? .verified : .unverified,
            notice: meter.profile.notice ?? "", isVirtual: meter.found.isVirtual,
            board: bench?.boards.first { $0.meter == meter.name }?.name)
    }

    private static func counters(of meter: MeterDriver.MeterCounters) -> RunStore.MeterCounters {
        RunStore.MeterCounters(
            repeated: meter.account.repeated, reconnects: meter.traffic.reconnects,
            rejectedReplies: meter.traffic.discardedReplies,
            others: [
                "received": meter.received, "missing": meter.missing, "polls": meter.traffic.polls,
                "timeouts": meter.traffic.timeouts, "stalls": meter.traffic.stalls,
                "sessions_lost": meter.traffic.sessionsLost, "dropped_by_queue": meter.droppedByQueue,
            ])
    }
}
