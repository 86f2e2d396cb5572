import Calibration
import DETA
import Foundation
import Metrology
import Quantities
package import Report
import RunStore
import Timebase
import Traces

/// The report of a campaign folder: what was asked, measured, fitted and planned, with every caveat in plain sight.
package struct CampaignReport: Sendable {
    package var page: HTMLPage

    /// Reads what the folder holds: runs, and `models.json`, `answer.json`, `intervals.json`, `truth/` where they exist.
    /// - Throws: `AnalysisFailure`, `RunStoreError`.
    package init(folder: CampaignFolder) throws {
        guard !folder.runs.isEmpty else { throw AnalysisFailure.notAFolder(folder.path) }
        var sections: [HTMLPage.Section] = []
        let models = try Self.models(folder)
        var notices: Set<String> = []
        var title = "Campaign"
        for path in folder.runs {
            let recordings = try RunRecordings(opening: path)
            let energy = RunEnergy(recordings)
            title = "Campaign '\(recordings.metadata["campaign"] ?? "unnamed")'"
            notices.formUnion(recordings.boards.map(\.meter.notice).filter { !$0.isEmpty })
            if recordings.boards.contains(where: \.meter.isVirtual) {
                notices.insert("These meters and boards are virtual: nothing in this report was measured on hardware.")
            }
            sections.append(try Self.meters(recordings, path))
            sections.append(Self.energy(energy))
            sections.append(Self.traces(recordings))
            let hasTruth = FileManager.default.fileExists(atPath: folder.truthPath + "/spans.csv")
            let comparison = hasTruth ? try TruthComparison(energy, models, truthFolder: folder.truthPath) : nil
            if let models { sections.append(Self.models(models, comparison)) }
            if let comparison { sections.append(Self.truth(comparison)) }
        }
        if let plan = try Self.plan(folder) { sections.append(plan) }
        sections.append(Self.provenance(folder))
        let told = HTMLPage.Section("What to keep in mind", notices.sorted().map { .notice($0) })
        page = HTMLPage(
            title: title,
            lead: "Energy and carbon per phase, power models and a plan. Uncertainties are expanded, k = 2.",
            sections: (notices.isEmpty ? [] : [told]) + sections)
    }

    // MARK: sections

    private static func meters(_ recordings: RunRecordings, _ path: String) throws -> HTMLPage.Section {
        let reader = try RunReader(opening: path)
        let info = try reader.info()
        let rows = info.meters.map { meter -> [String] in
            let board = recordings.boards.first { $0.meter.serial == meter.serial }
            return [
                meter.serial, meter.model, board?.meter.protocolStatus.rawValue ?? "", board?.board.name ?? "",
                String(meter.samples), String(meter.missing), String(meter.repeated), String(meter.reconnects),
                board?.edgeBoundNanoseconds.map { String(format: "%.2f", Double($0) * 1e-6) } ?? "unknown",
            ]
        }
        let seconds = Double(recordings.extent.upperBound - recordings.extent.lowerBound) * 1e-9
        return HTMLPage.Section(
            "Bench and recording",
            [
                .paragraph(
                    "\((path as NSString).lastPathComponent): \(recordings.boards.count) boards, \(fixed(seconds, 1)) s."
                ),
                .table(
                    header: [
                        "meter", "model", "protocol", "board", "samples", "missing", "repeated", "reconnects",
                        "edge bound, ms",
                    ], rows: rows,
                    caption: "Edge bound: no phase edge is off by more than this (node clock and meter clock together)."
                ),
            ])
    }

    private static func energy(_ energy: RunEnergy) -> HTMLPage.Section {
        var kinds: [String] = []
        for board in energy.boards {
            for kind in board.kinds where !kinds.contains(kind.kind) { kinds.append(kind.kind) }
        }
        let rows = energy.boards.flatMap { board in
            board.kinds.map { kind in
                [
                    board.recording.board.name, kind.kind, String(kind.count), fixed(kind.seconds, 2),
                    plusMinus(kind.gross), kind.net.map { plusMinus($0) } ?? "not evaluated",
                    kind.carbonGrams.map { plusMinus($0, digits: 5) } ?? "no intensity",
                    kind.refused == 0 ? "" : "\(kind.refused) refused",
                ]
            }
        }
        let share = kinds.map { kind in
            Plot.Series(
                name: kind,
                shape: .bars(
                    values: energy.boards.map { $0.kinds.first { $0.kind == kind }?.gross.value ?? 0 },
                    halfWidth: energy.boards.map {
                        $0.kinds.first { $0.kind == kind }?.gross.expandedUncertainty() ?? 0
                    }))
        }
        let plot = Plot(
            title: "Energy per kind of phase", xLabel: "board", yLabel: "J", series: share,
            categories: energy.boards.map(\.recording.board.name), yIncludesZero: true)
        var blocks: [HTMLPage.Block] = [
            .paragraph(
                "All boards: \(plusMinus(energy.total)) J"
                    + (energy.carbonGrams.map { ", \(plusMinus($0, digits: 4)) gCO2e" } ?? "")
                    + ". Net is gross less the idle power of the baseline stage. The uncertainty of CO2e is that of the "
                    + "energy; intensities are taken as bench.yaml states them."),
            .figure(svg: SVGWriter(height: 340).svg(plot), caption: "Gross energy at the meter, J."),
            .table(
                header: ["board", "phase", "count", "time, s", "energy, J", "net, J", "gCO2e", ""], rows: rows,
                caption:
                    "Phases of one meter share its gain and offset errors: those add linearly, the rest in quadrature."),
        ]
        blocks += energy.remarks.map { .notice($0) }
        return HTMLPage.Section("Energy and carbon", blocks)
    }

    private static func traces(_ recordings: RunRecordings) -> HTMLPage.Section {
        let figures = recordings.boards.map { recording -> HTMLPage.Block in
            .figure(
                svg: SVGWriter(height: 190).svg(trace(recording, recordings.extent)),
                caption: "\(recording.board.name): smallest and largest power of every column, phases behind it.")
        }
        return HTMLPage.Section("Traces", figures)
    }

    private static func trace(_ recording: BoardRecording, _ extent: ClosedRange<Int64>) -> Plot {
        let columns = 800
        let width = max(1, (extent.upperBound - extent.lowerBound) / Int64(columns))
        var low = [Double](repeating: .nan, count: columns)
        var high = low
        for epoch in recording.epochs {
            let trace = epoch.energy.readings.trace
            for index in 0..<trace.sampleCount {
                let watts = Double(trace.microvolts[index]) * Double(trace.microamperes[index]) * 1e-12
                let host = epoch.energy.clock.target(atSource: trace.tick(ofSample: index) * MeterTrace.tickNanoseconds)
                let column = min(columns - 1, max(0, Int((host - extent.lowerBound) / width)))
                low[column] = low[column].isNaN ? watts : min(low[column], watts)
                high[column] = high[column].isNaN ? watts : max(high[column], watts)
            }
        }
        func seconds(_ host: Int64) -> Double { Double(host - extent.lowerBound) * 1e-9 }
        return Plot(
            title: "\(recording.board.name), meter \(recording.meter.serial)", xLabel: "s", yLabel: "W",
            series: [
                .init(
                    name: "power",
                    shape: .envelope(
                        x: (0..<columns).map { seconds(extent.lowerBound + (Int64($0) * 2 + 1) * width / 2) }, low: low,
                        high: high))
            ],
            bands: recording.phases.filter { $0.kind != "idle" && $0.durationSeconds > 0.05 }
                .map { .init(from: seconds($0.beginNanoseconds), to: seconds($0.endNanoseconds), label: $0.kind) },
            yIncludesZero: true)
    }

    private static func models(_ models: BenchModels, _ comparison: TruthComparison?) -> HTMLPage.Section {
        func cell(_ estimate: Estimate?, _ factor: Double, _ digits: Int) -> String {
            estimate.map { "\(fixed($0.value * factor, digits)) ± \(fixed(2 * $0.u * factor, digits))" }
                ?? "not measured"
        }
        let rows = models.boards.map { board in
            [
                board.board, board.region, cell(board.pIdleW, 1, 3), cell(board.pSleepW, 1, 4),
                cell(board.eBatchWh, joulesPerWattHour, 4), cell(board.batchS, 1, 4),
                cell(board.wakeWh, joulesPerWattHour, 1), cell(board.wakeS, 1, 1),
            ]
        }
        var blocks: [HTMLPage.Block] = [
            .paragraph(
                "Dynamic model: mean error in sample \(fixed(models.inSampleMeanAbsolutePercent, 2)) %, boards left out with idle "
                    + "anchor \(fixed(models.leaveOneBoardOutAnchoredMedianPercent ?? .nan, 2)) % (median)."),
            .table(
                header: [
                    "board", "region", "idle, W", "sleep, W", "batch, J", "batch, s", "wake above idle, J", "wake, s",
                ], rows: rows, caption: "Figures that the optimiser takes; at the meter."),
        ]
        if let comparison, !comparison.predictions.isEmpty {
            let plot = Plot(
                title: "Prediction against truth", xLabel: "true power, W", yLabel: "predicted less true, mW",
                series: [
                    .init(
                        name: "prediction",
                        shape: .points(
                            x: comparison.predictions.map(\.trueWatts),
                            y: comparison.predictions.map { ($0.predictedWatts - $0.trueWatts) * 1000 },
                            halfWidth: comparison.predictions.map { 2000 * $0.u }))
                ])
            blocks.append(
                .figure(
                    svg: SVGWriter().svg(plot),
                    caption: "Loads that no step held, board plane; bars are U (k = 2). Worst error "
                        + "\(fixed(comparison.worstPredictionPercent, 2)) %."))
        }
        blocks += models.remarks.map { .notice($0) }
        return HTMLPage.Section("Power models", blocks)
    }

    private static func truth(_ comparison: TruthComparison) -> HTMLPage.Section {
        let kinds = Set(comparison.energies.map(\.kind)).sorted()
        let rows = kinds.map { kind -> [String] in
            let lines = comparison.energies.filter { $0.kind == kind }
            let worst = lines.max { abs($0.errorPercent) < abs($1.errorPercent) }
            let inside = lines.count { abs($0.measuredJoules - $0.trueJoules) <= $0.expandedUncertainty }
            let sum = lines.map(\.measuredJoules).reduce(0, +) / lines.map(\.trueJoules).reduce(0, +) - 1
            return [
                kind, String(lines.count), fixed(100 * sum, 3), fixed(worst?.errorPercent ?? 0, 3),
                "\(inside) of \(lines.count)",
            ]
        }
        return HTMLPage.Section(
            "Against the virtual bench's truth",
            [
                .table(
                    header: ["phase", "boards", "error of the sum, %", "worst board, %", "inside ± U"], rows: rows,
                    caption: "Energy per board and kind against what the virtual bench knows it used at the meter.")
            ])
    }

    private static func plan(_ folder: CampaignFolder) throws -> HTMLPage.Section? {
        struct Intervals: Decodable {
            struct Interval: Decodable {
                var central: Double
                var low95: Double
                var high95: Double
            }
            var samples: Int
            var infeasibleSamples: Int
            var carbonG: [String: Interval]
            var reductionVsNone: [String: Interval]
        }
        guard let data = FileManager.default.contents(atPath: folder.path + "/intervals.json") else { return nil }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let intervals = try decoder.decode(Intervals.self, from: data)
        let order = [Variant.none, .det, .dat, .deta].map(\.rawValue).filter { intervals.carbonG[$0] != nil }
        let carbon = order.compactMap { intervals.carbonG[$0] }
        let plot = Plot(
            title: "Carbon of the plans", xLabel: "plan", yLabel: "gCO2e",
            series: [
                .init(
                    name: "carbon",
                    shape: .bars(values: carbon.map(\.central), halfWidth: carbon.map { ($0.high95 - $0.low95) / 2 }))
            ], categories: order, yIncludesZero: true)
        let rows = order.map { name -> [String] in
            let grams = intervals.carbonG[name]
            let reduction = intervals.reductionVsNone[name]
            return [
                name, grams.map { fixed($0.central, 3) } ?? "",
                grams.map { "\(fixed($0.low95, 3)) to \(fixed($0.high95, 3))" } ?? "",
                reduction.map { fixed(100 * $0.central, 2) } ?? "",
                reduction.map { "\(fixed(100 * $0.low95, 2)) to \(fixed(100 * $0.high95, 2))" } ?? "",
            ]
        }
        return HTMLPage.Section(
            "The plan",
            [
                .paragraph(
                    "none: every server works for itself; det: harvested energy is traded; dat: tasks move and servers may sleep; "
                        + "deta: both together. The reduction depends on the workload, sun and batteries that were assumed "
                        + "(see the note of instance.json) more than on the models."),
                .figure(svg: SVGWriter().svg(plot), caption: "Bars are 95 % intervals from the models' uncertainty."),
                .table(
                    header: ["plan", "gCO2e", "95 %", "less than none, %", "95 %"], rows: rows,
                    caption: "\(intervals.samples) draws of the models' parameters, shared between baseline and plan; "
                        + "\(intervals.infeasibleSamples) without a plan."),
            ])
    }

    private static func provenance(_ folder: CampaignFolder) -> HTMLPage.Section {
        let names =
            folder.runs
            + ["models.json", "instance.json", "answer.json", "intervals.json"].map { folder.path + "/" + $0 }
        let rows = names.compactMap { path -> [String]? in
            guard let data = FileManager.default.contents(atPath: path) else { return nil }
            return [(path as NSString).lastPathComponent, String(data.count), SHA256.hexadecimal([UInt8](data))]
        }
        return HTMLPage.Section(
            "Provenance",
            [.table(header: ["file", "bytes", "SHA-256"], rows: rows, caption: "Every number above comes from these.")])
    }

    private static func models(_ folder: CampaignFolder) throws -> BenchModels? {
        guard let data = FileManager.default.contents(atPath: folder.path + "/models.json") else { return nil }
        return try JSONDecoder().decode(BenchModels.self, from: data)
    }

    // MARK: numbers

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        value.isFinite ? String(format: "%.\(digits)f", value) : "not evaluated"
    }

    private static func plusMinus<Unit>(_ quantity: Quantity<Unit>, digits: Int = 3) -> String {
        let u = quantity.expandedUncertainty().map { fixed($0, digits) } ?? "not evaluated"
        return "\(fixed(quantity.value, digits)) ± \(u)"
    }
}
