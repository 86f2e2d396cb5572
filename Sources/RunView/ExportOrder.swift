import Foundation
import RunStore
package import TraceExport

/// One export as asked for: what of which run, in which format, where.
package struct ExportOrder: Sendable {
    package struct Result: Sendable, Equatable, Codable {
        package var format: String
        package var files: [String]
        package var meters: [String]
        package var samples: Int
        package var gaps: Int
        package var phases: Int
        package var events: Int
        package var remarks: [String]

        package var text: String {
            var lines = files
            lines.append(
                "\(samples) samples of \(meters.count) meters, \(gaps) gaps, \(phases) phases, \(events) events")
            return lines.joined(separator: "\n")
        }
    }

    package var run: String
    package var format: String
    package var folder: String
    package var selection: RunSelection
    package var options: ExportOptions

    package init(run: String, format: String, folder: String, selection: RunSelection, options: ExportOptions) {
        self.run = run
        self.format = format
        self.folder = folder
        self.selection = selection
        self.options = options
    }

    /// What would be written, without writing.
    package func plan() throws -> Result {
        _ = try Exporters.named(format)
        let source = try RunTraceSource(try RunReader(opening: run), selection: selection)
        var samples = 0
        for meter in source.description.meters { try source.forEachChunk(of: meter.serial) { samples += $0.count } }
        return result(source.description, files: [], samples: samples)
    }

    /// Exports. `progress` hears the fraction done, 0 to 1.
    package func execute(progress: (Double) -> Void = { _ in }) throws -> Result {
        let exporter = try Exporters.named(format)
        let reader = try RunReader(opening: run)
        let source = try RunTraceSource(reader, selection: selection)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ExportError.cannotWrite(path: folder, reason: error.localizedDescription)
        }
        let total = try source.description.meters.reduce(0) { sum, meter in
            try reader.epochs(of: meter.serial).reduce(sum) { $0 + $1.samples }
        }
        var samples = 0
        let files = try exporter.export(source, into: folder, options: options) { count in
            samples += count
            progress(Double(samples) / Double(max(1, total)))
        }
        return result(source.description, files: files, samples: samples)
    }

    private func result(_ run: TraceDescription, files: [String], samples: Int) -> Result {
        Result(
            format: format, files: files, meters: run.meters.map(\.serial), samples: samples, gaps: run.gaps.count,
            phases: run.phases.count, events: run.events.count, remarks: run.remarks)
    }
}
