import Bench
import Campaign
import Dashboard
import Foundation
import MeterDriver
import MeterProtocol
import PhaseLink
import Traces

/// Feeds the live page from a running campaign.
struct LivePage {
    private let feed: LiveFeed
    private let laneOfMeter: [String: Int]
    private let laneOfNode: [String: Int]
    private let signs: [String: Double]
    private let origin: Int64

    init(bench: BenchFile, title: String, origin: Int64) {
        signs = Dictionary(
            bench.boards.map { ($0.meter, Double($0.currentSign)) }, uniquingKeysWith: { first, _ in first })
        laneOfMeter = Dictionary(
            bench.boards.enumerated().map { ($1.meter, $0) }, uniquingKeysWith: { first, _ in first })
        laneOfNode = Dictionary(
            bench.boards.enumerated().map { ($1.node, $0) }, uniquingKeysWith: { first, _ in first })
        self.origin = origin
        feed = LiveFeed(
            status: LiveStatus(
                title: title,
                lanes: bench.boards.map {
                    .init(meter: $0.meter, model: "", protocolStatus: "", isVirtual: false, board: $0.name)
                }), originNanoseconds: origin, signs: signs)
    }

    /// Serves the page if a port is given and says where.
    func serve(onPort port: UInt16?) async throws -> DashboardServer? {
        guard let port else { return nil }
        do throws(DashboardFailure) {
            let server = try DashboardServer(feed: feed, settings: .init(port: port), perform: { _ in })
            let bound = try await server.start()
            FileHandle.standardError.write(Data("live page: http://127.0.0.1:\(bound)/\n".utf8))
            return server
        } catch {
            throw ExitFailure(.badInput, "\(error)")
        }
    }

    func spectator(
        progress: @escaping @Sendable (RunProgress) -> Void, started: @escaping @Sendable ([StartedMeter]) -> Void,
        event: @escaping @Sendable (RunEvent) -> Void
    ) -> CampaignRun.Spectator {
        let (feed, lanes, nodes, signs, origin) = (feed, laneOfMeter, laneOfNode, signs, origin)
        return CampaignRun.Spectator(
            block: { feed.add($0) },
            window: { window in
                guard let lane = lanes[window.meter] else { return }
                feed.update { status in
                    status.lanes[lane].powerWatts = (signs[window.meter] ?? 1) * window.meanWatts
                    status.lanes[lane].rateHertz = Double(window.samples) / (Double(window.lengthNanoseconds) * 1e-9)
                }
            },
            marker: { marker in
                guard let lane = nodes[marker.source.node], let mark = marker.mark else { return }
                feed.update { $0.lanes[lane].phase = mark.edge == .begin ? mark.phase : "" }
            },
            event: { told in
                event(told)
                feed.update { status in
                    if told.kind == "board_state",
                        let lane = status.lanes.firstIndex(where: { $0.board == told.source })
                    {
                        let state = told.text.split(separator: " ").first { $0.hasPrefix("to=") }?.dropFirst(3)
                        status.lanes[lane].boardState = state.map(String.init) ?? "unknown"
                    }
                    if told.severity != .info {
                        status.add(
                            .init(
                                atSeconds: Double(told.atNanoseconds - origin) * 1e-9, severity: told.severity.rawValue,
                                source: told.source, text: told.text))
                    }
                }
            },
            progress: { told in
                progress(told)
                feed.update {
                    $0.progress = .init(
                        stage: told.name, elapsedSeconds: told.elapsedSeconds, remainingSeconds: told.remainingSeconds)
                }
            },
            started: { meters in
                started(meters)
                feed.update { status in
                    status.notices = Set(meters.compactMap(\.profile.notice)).sorted()
                    for meter in meters {
                        guard let lane = lanes[meter.name] else { continue }
                        status.lanes[lane].model = meter.model
                        status.lanes[lane].protocolStatus = meter.profile.status.rawValue
                        status.lanes[lane].isVirtual = meter.found.isVirtual
                    }
                }
            })
    }
}
