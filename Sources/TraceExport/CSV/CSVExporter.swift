import Foundation
import Traces

/// Plain files for a spreadsheet or a script: samples_SERIAL.csv, gaps.csv, phases.csv, events.csv, meta.json.
///
/// Units are in the column names. A missing sample is a missing row; gaps.csv names every hole. A meter that restarted
/// begins its uptime again in the same file; `epochs` in meta.json tells the row where.
package struct CSVExporter: Exporter {
    package static let name = "csv"
    package static let summary = "samples, gaps, phases and events as CSV with meta.json"

    package init() {}

    package func export(
        _ source: any TraceSource, into folder: String, options: ExportOptions, progress: (Int) -> Void
    ) throws -> [String] {
        let run = source.description
        let names = OutputFile.safeNames(run.meters.map(\.serial))
        var files: [OutputFile] = []
        var epochs: [String: [ExportMeta.Epoch]] = [:]
        func file(_ name: String) throws -> OutputFile {
            let file = try OutputFile(folder + "/" + name, overwrite: options.overwrite)
            files.append(file)
            return file
        }
        for meter in run.meters {
            let samples = try file("samples_\(names[meter.serial] ?? "_").csv")
            epochs[meter.serial] = try write(meter, of: source, to: samples, progress: progress)
        }
        try writeGaps(run, to: file("gaps.csv"))
        try writePhases(run, to: file("phases.csv"))
        try writeEvents(run, to: file("events.csv"))
        let meta = ExportMeta(
            run, format: "wattbench-csv 1", epochs: epochs, files: names.mapValues { "samples_\($0).csv" })
        try file("meta.json").write(try meta.json() + "\n")
        // Names appear together, at the end: a failure before leaves nothing half done.
        for file in files { try file.finish() }
        return files.map(\.path)
    }

    private func write(
        _ meter: TraceMeter, of source: any TraceSource, to file: OutputFile, progress: (Int) -> Void
    ) throws -> [ExportMeta.Epoch] {
        try file.write("uptime_ms,host_ns,v_uv,i_ua\n")
        var text = CSVText()
        var epochs: [ExportMeta.Epoch] = []
        var row = 0
        try source.forEachChunk(of: meter.serial) { chunk in
            if epochs.last?.epoch != chunk.epoch {
                epochs.append(ExportMeta.Epoch(epoch: chunk.epoch, firstRow: row, rows: 0))
            }
            text.reset()
            for k in 0..<chunk.count {
                text.number(chunk.uptimeMilliseconds[k])
                text.comma()
                text.number(chunk.hostNanoseconds[k])
                text.comma()
                text.number(Int64(chunk.vbusMicrovolts[k]))
                text.comma()
                text.number(Int64(chunk.ibusMicroamperes[k]))
                text.newline()
            }
            try file.write(text.bytes)
            row += chunk.count
            epochs[epochs.count - 1].rows += chunk.count
            progress(chunk.count)
        }
        return epochs
    }

    private func writeGaps(_ run: TraceDescription, to file: OutputFile) throws {
        try file.write("meter,epoch,after_uptime_ms,before_uptime_ms,after_host_ns,before_host_ns,missing,cause\n")
        for hole in run.gaps {
            var text = CSVText()
            text.text(hole.gap.meter)
            text.comma()
            text.number(Int64(hole.gap.epoch))
            text.comma()
            text.number(hole.gap.afterUptimeMilliseconds)
            text.comma()
            text.number(hole.gap.beforeUptimeMilliseconds)
            text.comma()
            text.number(hole.afterHostNanoseconds)
            text.comma()
            text.number(hole.beforeHostNanoseconds)
            text.comma()
            text.number(hole.gap.missing.map(Int64.init))
            text.comma()
            text.text(hole.gap.cause.rawValue)
            text.newline()
            try file.write(text.bytes)
        }
    }

    private func writePhases(_ run: TraceDescription, to file: OutputFile) throws {
        try file.write("node,kind,round,span,begin_host_ns,end_host_ns,bound_ns,origin,role,attributes\n")
        for entry in run.phases {
            var text = CSVText()
            let phase = entry.phase
            text.text(phase.node)
            text.comma()
            text.text(phase.kind)
            text.comma()
            text.number(phase.round.map(Int64.init))
            text.comma()
            text.number(phase.span.map(Int64.init))
            text.comma()
            text.number(phase.beginNanoseconds)
            text.comma()
            text.number(phase.endNanoseconds)
            text.comma()
            text.number(entry.boundNanoseconds)
            text.comma()
            text.text(phase.origin.rawValue)
            text.comma()
            text.text(entry.role)
            text.comma()
            text.text(try ExportMeta.compact(phase.attributes))
            text.newline()
            try file.write(text.bytes)
        }
    }

    private func writeEvents(_ run: TraceDescription, to file: OutputFile) throws {
        try file.write("host_ns,severity,source,kind,text\n")
        for event in run.events {
            var text = CSVText()
            text.number(event.atNanoseconds)
            text.comma()
            text.text(event.severity.rawValue)
            text.comma()
            text.text(event.source)
            text.comma()
            text.text(event.kind)
            text.comma()
            text.text(event.text)
            text.newline()
            try file.write(text.bytes)
        }
    }
}
